import { existsSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { attempt } from './attempt.ts';
import type { Settings } from './contract/annotations.ts';
import type { Log } from './contract/log.ts';
import { mountPaths } from './contract/pod.ts';
import { libc } from './libbpf/native.ts';
import { readAncestors } from './pod/ancestors.ts';
import { findPodCgroup, type PodCgroup } from './pod/cgroups.ts';
import { type Containers, createContainers } from './pod/containers.ts';
import type { Identity } from './pod/identity.ts';
import { type Probe, type ProgramState, startProbe } from './probe.ts';
import type { Family } from './series/family.ts';
import { copiedLabels } from './settings.ts';
import { builtinProbe } from './source.ts';

/** What the sidecar is doing, for /readyz, the status page and its own metrics. */
export interface Status {
  /** Whether every probe is attached or has failed for good. */
  settled: boolean;
  /** What keeps the whole sidecar from working. */
  problem?: string;
  probes: ProbeStatus[];
}

export interface ProbeStatus {
  name: string;
  problem?: string;
  programs: readonly ProgramState[];
}

/** A sidecar that has been started; it may still be attaching. */
export interface Sidecar {
  readonly status: Status;
  /** One scrape of all probes; a probe whose maps cannot be read is left out and reported. */
  read(onError: (probe: string, error: Error) => void): Family[];
  /** Series left out so far because their family was full. */
  dropped(): [probe: string, series: number][];
  /** Labels of the pod that its annotations ask for, by label name. */
  podLabels(): Record<string, string>;
  close(): void;
}

/**
 * Attaches the probes that the settings ask for, one after the other; never throws. Without settings it says
 * why, as it does of everything that goes wrong.
 */
export function startSidecar(
  identity: Identity,
  settings: Settings | Error,
  log: Log,
): { sidecar: Sidecar; settled: Promise<void> } {
  const status: Status = { settled: false, probes: [] };
  const probes: Probe[] = [];
  let containers: Containers | undefined;
  let labels: Record<string, string> = {};
  let closed = false;

  async function start(): Promise<void> {
    if (settings instanceof Error) throw settings;
    labels = copiedLabels(settings.podLabels);
    const pod = findPod(identity);
    log('info', 'found the pod cgroup', { path: pod.path, depth: pod.level });
    containers = createContainers(pod.path, mountPaths.containerLogs, identity);
    containers.refresh();
    const context = {
      containerName: containers.nameOf,
      wantsContainer: (name: string) =>
        settings.containers.length === 0 || settings.containers.includes(name),
      generation: containers.generation,
    };
    const reason = 'programs of BPF resources cannot be run by this version';
    for (const name of settings.programs) status.probes.push({ name, problem: reason, programs: [] });
    for (const name of settings.probes) {
      // A turn of the event loop between probes, to answer /healthz meanwhile.
      await setImmediate();
      if (closed) return;
      const outcome = attempt(() => startProbe(builtinProbe(name), pod, context));
      if (outcome instanceof Error) status.probes.push({ name, problem: outcome.message, programs: [] });
      else {
        probes.push(outcome);
        status.probes.push({ name, programs: outcome.programs });
      }
    }
  }

  async function settle(): Promise<void> {
    try {
      await start();
    } catch (error) {
      status.problem = (error as Error).message;
    }
    // Ended before it was through: nothing is attached and nothing is wrong.
    if (closed) return;
    status.settled = true;
    for (const problem of problemsOf(status)) log('error', problem);
    if (isReady(status))
      log('info', 'every probe is attached', { probes: probes.map((probe) => probe.name) });
    // Loading parsed the kernel's BTF several times: give those megabytes back.
    libc.malloc_trim(0);
  }

  const sidecar: Sidecar = {
    status,
    read(onError) {
      containers?.refresh();
      return probes.flatMap((probe) => {
        const families = attempt(() => probe.read());
        if (!(families instanceof Error)) return families;
        onError(probe.name, families);
        return [];
      });
    },
    dropped: () => probes.map((probe) => [probe.name, probe.dropped()]),
    podLabels: () => labels,
    close() {
      closed = true;
      for (const probe of probes.splice(0)) probe.close();
    },
  };
  return { sidecar, settled: settle() };
}

/** Whether every probe is attached with all its programs. */
export function isReady(status: Status): boolean {
  return status.settled && problemsOf(status).length === 0;
}

/** One sentence for each thing that does not work. */
export function problemsOf(status: Status): string[] {
  return [
    ...(status.problem === undefined ? [] : [status.problem]),
    ...status.probes.flatMap(({ name, problem, programs }) =>
      [problem, ...programs.map((program) => program.problem)]
        .filter((reason) => reason !== undefined)
        .map((reason) => `probe ${name}: ${reason}`),
    ),
  ];
}

function findPod(identity: Identity): PodCgroup {
  if (!existsSync('/sys/kernel/btf/vmlinux'))
    throw new Error(
      'the kernel has no BTF (/sys/kernel/btf/vmlinux): it must be built with CONFIG_DEBUG_INFO_BTF',
    );
  return findPodCgroup(identity.uid, readAncestors());
}
