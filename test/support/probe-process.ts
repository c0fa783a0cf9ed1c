/**
 * Runs a program, given as C, as a probe in a process of its own, for tests that need it in the pod's network
 * namespace: prints `attached` or the reason why not, and the count for each line that it reads.
 */
import { createInterface } from 'node:readline';
import { eventsOf, startAuthored } from './author.ts';

const [code, path] = process.argv.slice(2);
const probe = await startAuthored(code!, { path: path!, level: 0, id: 0n, sidecar: 0n });
console.log(probe.programs.map(({ problem }) => problem ?? 'attached').join('; '));
for await (const _ of createInterface({ input: process.stdin })) console.log(eventsOf(probe));
probe.close();
