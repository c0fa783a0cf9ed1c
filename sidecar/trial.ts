import { readFileSync } from 'node:fs';
import { patience, runApart, trialOption } from './apart.ts';
import { attempt } from './attempt.ts';
import { toLoad } from './contract/capabilities.ts';
import { BpfError } from './libbpf/error.ts';
import { limitAddressSpace } from './libbpf/memory.ts';
import { closeObject } from './libbpf/object.ts';
import { limitCapabilities } from './privilege.ts';
import { loadPrograms } from './programs/load.ts';

/**
 * Bytes that loading an object may take beside what Node has. The kernel may end all processes of a container together
 * when one of them takes too much, so that one must end before.
 */
const maxMemory = 128 * 2 ** 20;
/** How the process of a trial ends when that was not enough. */
const outOfMemory = 3;

/**
 * Loads an object in a process of its own first: libbpf may crash on one that is malformed. What is wrong with it
 * otherwise is told when it is loaded for good. Rejects with an Error of one sentence; `limit` is how long it may take, in
 * milliseconds.
 */
export async function tryObject(name: string, elf: Buffer, limit = patience): Promise<void> {
  const { code, signal } = await runApart([`--${trialOption}`], elf, process.argv[1]!, limit);
  if (code === outOfMemory)
    throw new Error(
      `object ${name} was given up: loading it takes more than ${maxMemory / 2 ** 20} MiB, or than the memory limit of the container leaves; make its maps and global variables smaller`,
    );
  if (signal === 'SIGKILL')
    throw new Error(
      `object ${name} was given up: loading it took more than ${limit / 1000} s, or than the memory limit of the container leaves`,
    );
  if (signal !== null) throw new Error(`object ${name} is malformed: libbpf crashes on it (${signal})`);
}

/**
 * What the process of a trial does: loads the object that it reads, and ends. It begins anew with what that needs: not
 * even an object that takes libbpf over gets at what the sidecar may do besides.
 */
export function runTrial(): number {
  limitCapabilities(toLoad);
  const elf = readFileSync(0);
  limitAddressSpace(maxMemory);
  const outcome = attempt(() => loadPrograms('trial', elf, () => {}));
  if (!(outcome instanceof Error)) closeObject(outcome.object);
  return outcome instanceof BpfError && outcome.code === 'ENOMEM' ? outOfMemory : 0;
}
