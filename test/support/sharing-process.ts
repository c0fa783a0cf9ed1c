/**
 * A sidecar that does nothing but share the dispatcher of one program, for tests that need several processes or
 * kill one: sharing-process.ts OBJECT BPFFS POD MARKER, where POD is the pod cgroup as JSON, and MARKER a path that is
 * looked for when the sharing begins, to be seen in a trace of system calls. Prints `attached` or the
 * reason why not, and for each line that it reads what it has counted; leaves at the end of its input.
 */
import { accessSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { attempt } from '../../sidecar/attempt.ts';
import { shareHooks } from '../../sidecar/programs/hooks/shared.ts';
import { eventsOf, startCompiled } from './author.ts';
import { parsePod } from './place.ts';

const [object, bpffs, place, marker] = process.argv.slice(2) as [string, string, string, string];
const pod = parsePod(place);
const elf = readFileSync(object);
const hooks = shareHooks(bpffs, pod, (level, message) => console.error(level, message));
attempt(() => accessSync(marker));
const probe = await hooks.exclusively(() => startCompiled(elf, pod, hooks));
console.log(probe.programs.map(({ problem }) => problem ?? 'attached').join('; '));
for await (const _ of createInterface({ input: process.stdin })) console.log(eventsOf(probe));
await hooks.exclusively(() => probe.close());
