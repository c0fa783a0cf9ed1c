import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readMetricSpec } from '../../sidecar/contract/metric-spec.ts';
import { parseMetricSpec, parseYaml } from '../../sidecar/contract/metric-spec-yaml.ts';
import { fieldsOf, membersOf, parseBtf, variablesOf } from '../../sidecar/libbpf/btf.ts';
import { closeObject, findMember, openObject, setConstants } from '../../sidecar/libbpf/object.ts';
import { objectDirectory } from '../../sidecar/objects.ts';
import { metricsOfMaps } from '../../sidecar/probe-metrics.ts';
import { findFunctions } from '../../sidecar/programs/elf-functions.ts';
import { readSpecApart } from '../../sidecar/read-spec.ts';
import { sourceDirectory } from '../bpf/compile.ts';
import { growYaml } from './grow-yaml.ts';
import { mutateBytes } from './mutate-bytes.ts';
import { mutateValue } from './mutate-value.ts';
import type { Random } from './random.ts';

/** Gives what the code under test gets, broken at random. It may throw an Error that says what is wrong. */
export type Target = (random: Random) => void | Promise<void>;

const yamls = readdirSync(sourceDirectory)
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => readFileSync(join(sourceDirectory, file), 'utf8'));
const specs = yamls.map((yaml) => parseYaml(yaml, 'seed.yaml'));
const objects = readdirSync(objectDirectory, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.bpf.o'))
  .map((file) => readFileSync(join(objectDirectory, file)));
const scratch = join(tmpdir(), `bpf-sidecar-fuzz-${process.pid}`);
process.on('exit', () => rmSync(scratch, { force: true }));

/** The target whose cases go through libbpf. */
export const throughLibbpf = 'objects (ELF)';

/** The target whose cases start a process each. */
export const throughProcesses = 'metric specs, grown';
const script = join(import.meta.dirname, '../bpf-sidecar.ts');

export const targets: Readonly<Record<string, Target>> = {
  'metric specs, as values': (random) => {
    readMetricSpec(mutateValue(random.pick(specs), random), 'fuzz.yaml');
  },
  'metric specs, as YAML': (random) => {
    parseMetricSpec(mutateBytes(Buffer.from(random.pick(yamls)), random).toString(), 'fuzz.yaml');
  },
  [throughProcesses]: async (random) => {
    await readSpecApart(Buffer.from(growYaml(random.pick(yamls), random)), 'fuzz.yaml', script);
  },
  'types of objects (BTF)': (random) => {
    const btf = parseBtf(mutateBytes(btfOf(random.pick(objects)), random));
    for (const section of ['.rodata', '.bss', '.data']) variablesOf(btf, section);
    for (let type = 0; type < 40; type++) {
      membersOf(btf, type);
      fieldsOf(btf, type);
    }
  },
  [throughLibbpf]: (random) => {
    const object = openObject('fuzz', mutateBytes(random.pick(objects), random));
    try {
      setConstants(object, { container_level: 3, verdict: 1 });
      for (const map of object.maps) if (object.btf) membersOf(object.btf, map.valueTypeId);
      metricsOfMaps('fuzz', object);
      findMember(object, object.maps[0]?.name ?? 'none', 'calls');
    } finally {
      closeObject(object);
    }
  },
  'symbols of executables (ELF)': (random) => {
    writeFileSync(scratch, mutateBytes(random.pick(objects), random));
    findFunctions(scratch, (name) => name.startsWith('a'));
  },
};

/** The section .BTF, found by its header: magic, version 1, no flags, and a length of 24. */
function btfOf(object: Buffer): Buffer {
  const start = object.indexOf(Buffer.from([0x9f, 0xeb, 1, 0, 24, 0, 0, 0]));
  const end = 24 + object.readUInt32LE(start + 16) + object.readUInt32LE(start + 20);
  return object.subarray(start, start + end);
}
