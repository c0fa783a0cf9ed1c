import { openSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { attempt } from '../attempt.ts';
import type { Privilege } from '../privilege.ts';
import { type Answer, type Route, text } from '../server.ts';
import type { Sidecar } from '../sidecar.ts';
import { nameKernelFunctions } from './kernel-functions.ts';
import { encodeProfile, type Recording } from './pprof.ts';

const probeName = 'profile';
const namelessKernel =
  "the names of the kernel's functions cannot be read: the container must be privileged, or have CAP_SYSLOG, and kernel.kptr_restrict must be below 2";
const seconds = { least: 1, most: 60, default: 10 };

/**
 * Answers with a profile of the seconds from now on, compressed with gzip: what `go tool pprof` reads. One at a time, and
 * only while the probe is switched on.
 */
export function createProfileRoute(sidecar: Sidecar, privilege: Privilege): Route {
  let busy = false;
  return async ({ query, gone }) => {
    const wanted = readSeconds(query.get('seconds'));
    if (wanted === undefined)
      return text(400, `seconds must be a whole number from ${seconds.least} to ${seconds.most}`);
    const profiler = [...sidecar.probes()].find(({ name }) => name === probeName)?.profiler;
    if (profiler === undefined) return notAttached(sidecar);
    if (busy) return text(409, 'a profile is being taken; ask again when it is done');
    busy = true;
    try {
      return await answerOf(await profiler.record(wanted, gone), privilege);
    } catch (error) {
      if ((error as Error).name !== 'AbortError') throw error;
      return text(503, `the probe ${probeName} was switched off before the profile was complete`);
    } finally {
      busy = false;
    }
  };
}

function readSeconds(given: string | null): number | undefined {
  if (given === null) return seconds.default;
  const number = /^[0-9]{1,2}$/.test(given) ? Number(given) : Number.NaN;
  return number >= seconds.least && number <= seconds.most ? number : undefined;
}

function notAttached({ status }: Sidecar): Answer {
  const probe = status.probes.find(({ name }) => name === probeName);
  if (probe === undefined)
    return text(
      404,
      `the probe ${probeName} is not switched on: add ${probeName} to the pod's annotation bpf.sh/probes`,
    );
  const problem = probe.problem ?? probe.programs.find((program) => program.problem)?.problem ?? 'attaching';
  return text(503, `the probe ${probeName} is not attached: ${problem}`);
}

async function answerOf(recording: Recording, privilege: Privilege): Promise<Answer> {
  const inKernel = recording.frames.flatMap((frame) => (frame.kind === 'kernel' ? [frame.address] : []));
  const names = await namesOf(inKernel, privilege);
  const comments = inKernel.length > 0 && names.size === 0 ? [namelessKernel] : [];
  const commented = { ...recording, comments: [...recording.comments, ...comments] };
  const body = gzipSync(encodeProfile(commented, (address) => names.get(address)));
  return { status: 200, contentType: 'application/octet-stream', body, isCompressed: true };
}

/** The names of functions of the kernel; none where it hides them. */
async function namesOf(addresses: readonly bigint[], privilege: Privilege): Promise<Map<bigint, string>> {
  // More than a hundred thousand lines are not read for nothing.
  if (addresses.length === 0) return new Map();
  // The kernel looks whether CAP_SYSLOG is in force when the file is opened.
  const symbols = attempt(() => privilege.briefly(() => openSync('/proc/kallsyms', 'r')));
  return symbols instanceof Error ? new Map() : nameKernelFunctions(symbols, addresses);
}
