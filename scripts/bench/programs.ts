import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseMetricSpec } from '../../sidecar/contract/metric-spec-yaml.ts';
import { builtinProbes } from '../../sidecar/contract/probes.ts';
import type { PodCgroup } from '../../sidecar/pod/cgroups.ts';
import { type Probe, startProbe } from '../../sidecar/probe.ts';
import { builtinProbe, type ProbeSource } from '../../sidecar/source.ts';
import { compileProgram } from '../bpf/compile-program.ts';
import { lasting, placeOf } from '../node/place.ts';
import { type Container, createSandbox } from '../node/sandbox.ts';
import { at } from '../progress.ts';
import type { Row } from './row.ts';

const statisticsSetting = '/proc/sys/kernel/bpf_stats_enabled';
const context = { containerName: () => 'web', ...lasting, wantsContainer: () => true, generation: () => 0 };

/** Something of everything that a probe may count: system calls, files, processes, threads that wait, TCP, UDP. */
const work = `
import os, socket, threading
server = socket.create_server(('127.0.0.1', 0))
def serve():
    while True:
        connection, _ = server.accept()
        while data := connection.recv(4096): connection.sendall(data)
        connection.close()
threading.Thread(target=serve, daemon=True).start()
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(('127.0.0.1', 0))
zero, null = os.open('/dev/zero', os.O_RDONLY), os.open('/dev/null', os.O_WRONLY)
for _ in range(50000): os.write(null, os.read(zero, 1))
for _ in range(500):
    with socket.create_connection(server.getsockname()) as client:
        for _ in range(4): client.sendall(b'x' * 1000); client.recv(4096)
    udp.sendto(b'x', udp.getsockname()); udp.recv(10)
    with open('/tmp/bench', 'w') as file: file.write('x'); file.flush(); os.fsync(file.fileno())
for _ in range(50):
    if pid := os.fork(): os.waitpid(pid, 0)
    else: os._exit(0)
`;

/**
 * Nanoseconds that an event of each program of the built-in probes takes by the kernel's own statistics: of the pod, of
 * the pod with an empty program in its place, and of another pod, which ends in the dispatcher.
 */
export async function benchPrograms(): Promise<Row[]> {
  const before = readFileSync(statisticsSetting, 'utf8');
  writeFileSync(statisticsSetting, '1');
  const [pod, other] = [await createSandbox({ network: true }), await createSandbox({ network: true })];
  try {
    const place = placeOf(pod, pod.addContainer('bpf-sidecar'));
    const [inside, outside] = [pod.addContainer('web'), other.addContainer('web')];
    const rows: Row[] = [];
    for (const [index, name] of builtinProbes.entries()) {
      at(index, builtinProbes.length, 'probes');
      const source = builtinProbe(name);
      const mine = await costs(source, place, inside);
      const empty = await costs(await emptied(source, place), place, inside);
      const others = await costs(source, place, outside);
      for (const [program, cost] of mine)
        rows.push({
          what: `${name}: ${program}: an event of the pod, with an empty program, of others`,
          value: [cost, empty.get(program), others.get(program)].map(nanoseconds).join(', '),
        });
    }
    return rows;
  } finally {
    writeFileSync(statisticsSetting, before);
    await pod.destroy();
    await other.destroy();
  }
}

/** By program. */
async function costs(
  source: ProbeSource,
  place: PodCgroup,
  container: Container,
): Promise<Map<string, number | undefined>> {
  const probe = startProbe(source, place, context);
  try {
    const [code] = await once(container.spawn(['python3', '-c', work], { stdio: 'inherit' }), 'exit');
    if (code !== 0) throw new Error(`the work ended with exit code ${code}`);
    return new Map(
      probe
        .statistics()
        .map(({ program, runs, seconds }) => [program, runs === 0 ? undefined : (1e9 * seconds) / runs]),
    );
  } finally {
    probe.close();
  }
}

/** The same programs without their work. */
async function emptied(source: ProbeSource, place: PodCgroup): Promise<ProbeSource> {
  const programs = sectionsOf(startProbe(source, place, context)).map(
    ({ name, section }) => `SEC("${section}") int ${name}(void *ctx) { return 1; }`,
  );
  const elf = await compileProgram(`
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); } nothing_total SEC(".maps");
${programs.join('\n')}`);
  // The programs are about the same subjects: otherwise other dispatchers would stand before them.
  const spec = parseMetricSpec('metrics: { counters: [{ name: nothing_total, labels: [] }] }', 'empty');
  return {
    name: `empty ${source.name}`,
    elf,
    spec: { ...spec, ...(source.spec && { subjects: source.spec.subjects }) },
  };
}

function sectionsOf(probe: Probe): Probe['programs'] {
  probe.close();
  return probe.programs;
}

function nanoseconds(cost: number | undefined): string {
  return cost === undefined ? 'none' : `${cost.toFixed(0)} ns`;
}

if (import.meta.main) console.table(await benchPrograms());
