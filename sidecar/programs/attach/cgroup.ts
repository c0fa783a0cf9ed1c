import { attachCgroup } from '../../libbpf/link.ts';
import { retarget } from '../../libbpf/object.ts';
import { ProgramType } from '../../libbpf/types.ts';
import { behindDispatcher } from '../dispatch.ts';

/** The object of bpf/dispatchers for each type: the subject of a cgroup hook is a packet, a socket or a task. */
const dispatchers: Record<number, string> = {
  [ProgramType.cgroupSkb]: 'skb',
  [ProgramType.sockOps]: 'tcp_sock',
  [ProgramType.cgroupSock]: 'pod_task',
  [ProgramType.cgroupSockAddr]: 'pod_task',
  [ProgramType.cgroupSockopt]: 'pod_task',
  [ProgramType.cgroupSysctl]: 'pod_task',
  [ProgramType.cgroupDevice]: 'pod_task',
};

/** Their programs may not ask for the ancestor of the current task on every kernel: see pod_task.bpf.c. */
const askNobody: readonly number[] = [
  ProgramType.cgroupSockopt,
  ProgramType.cgroupSysctl,
  ProgramType.cgroupDevice,
];

/** Everything the kernel runs for the tasks, sockets and packets of one cgroup: attached to the pod's. */
export const cgroup = behindDispatcher({
  accepts: (program) => program.type in dispatchers,
  dispatchers: ({ type }) => [
    { object: dispatchers[type]!, constants: { asks_ancestor: askNobody.includes(type) ? 0 : 1 } },
  ],
  // Allow: whatever the program decides for the pod, the sidecar itself goes on undisturbed.
  verdict: 1,
  prepare: (dispatcher, program) => retarget(dispatcher, program.type, program.expectedAttachType),
  link: (dispatcher, _, pod) => attachCgroup(dispatcher, pod),
});
