/**
 * Runs a program, given as C, as a probe in a process of its own, for tests that need it in the pod's network
 * namespace: prints `attached`, or in what it is approximate, or the reason why not, and the count for each line that it
 * reads. Its arguments are the program, the pod cgroup, and the sidecar's container cgroup where that is left out.
 */
import { createInterface } from 'node:readline';
import { cgroupId } from '../../sidecar/pod/cgroups.ts';
import { eventsOf, startAuthored } from './author.ts';

const [code, path, container] = process.argv.slice(2);
const sidecar = container === undefined ? 0n : cgroupId(container);
const probe = await startAuthored(code!, { path: path!, level: 0, id: 0n, sidecar });
console.log(probe.programs.map(({ problem, remark }) => problem ?? remark ?? 'attached').join('; '));
for await (const _ of createInterface({ input: process.stdin })) console.log(eventsOf(probe));
probe.close();
