import { attachCgroup } from '../../libbpf/link.ts';
import { retarget } from '../../libbpf/object.ts';
import { AttachType, ProgramType } from '../../libbpf/types.ts';
import { behindDispatcher } from '../dispatch.ts';
import { sectionTarget } from './family.ts';

/** `lsm_cgroup/<hook>`: as `lsm`, but the kernel runs it for the tasks and sockets of one cgroup. */
export const lsmCgroup = behindDispatcher({
  accepts: ({ type, expectedAttachType }) =>
    type === ProgramType.lsm && expectedAttachType === AttachType.lsmCgroup,
  dispatchers: () => [{ object: 'pod_task', constants: {} }],
  // Allow.
  verdict: 1,
  prepare: (dispatcher, program) =>
    retarget(dispatcher, ProgramType.lsm, AttachType.lsmCgroup, sectionTarget(program)),
  link: (dispatcher, _, pod) => attachCgroup(dispatcher, pod),
});
