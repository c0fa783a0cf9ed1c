import { readFileSync } from 'node:fs';
import { patience, runApart } from './apart.ts';
import { attempt } from './attempt.ts';
import { BpfError } from './libbpf/error.ts';
import { limitAddressSpace } from './libbpf/memory.ts';
import { closeObject } from './libbpf/object.ts';
import { loadPrograms } from './programs/load.ts';

/** The option of `bpf-sidecar run` that has it end after runTrial. */
export const trialOption = 'try-object';

/**
 * Bytes that loading an object may take beside what Node has. The kernel may end all processes of a container together
 * when one of them takes too much, so that one must end before.
 */
const maxMemory = 128 * 2 ** 20;
/** How the process of a trial ends when that was not enough. */
const outOfMemory = 3;

/**
 * Loads an object in a process of its own first: libbpf may crash on one that is malformed. What is wrong with it
 * otherwise is told when it is loaded for good. Rejects with an Error of one sentence.
 */
export async function tryObject(name: string, elf: Buffer): Promise<void> {
  const { code, signal } = await runApart([`--${trialOption}`], elf, process.argv[1]!);
  if (code === outOfMemory)
    throw new Error(
      `object ${name} was given up: loading it takes more than ${maxMemory / 2 ** 20} MiB, or than the memory limit of the container leaves; make its maps and global variables smaller`,
    );
  if (signal === 'SIGKILL')
    throw new Error(
      `object ${name} was given up: loading it took more than ${patience / 1000} s, or than the memory limit of the container leaves`,
    );
  if (signal !== null) throw new Error(`object ${name} is malformed: libbpf crashes on it (${signal})`);
}

/** What the process of a trial does: loads the object that it reads, and ends. */
export function runTrial(): number {
  const elf = readFileSync(0);
  limitAddressSpace(maxMemory);
  const outcome = attempt(() => loadPrograms('trial', elf, () => {}));
  if (!(outcome instanceof Error)) closeObject(outcome.object);
  return outcome instanceof BpfError && outcome.code === 'ENOMEM' ? outOfMemory : 0;
}
