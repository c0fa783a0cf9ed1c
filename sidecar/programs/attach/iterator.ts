import { closeSync, readSync } from 'node:fs';
import { BpfError } from '../../libbpf/error.ts';
import { functionArguments } from '../../libbpf/kernel-btf.ts';
import { attachIterator, type Link } from '../../libbpf/link.ts';
import { libbpf } from '../../libbpf/native.ts';
import { type Program, retarget } from '../../libbpf/object.ts';
import { AttachType, ProgramType } from '../../libbpf/types.ts';
import { isAlone } from '../../pod/processes.ts';
import { behindDispatcher } from '../dispatch.ts';
import { type AttachFamily, sectionTarget } from './family.ts';
import { requireOwnNetwork } from './pod-interfaces.ts';

/** Over what belongs to the network namespace of who reads. */
const ofNetwork = ['tcp', 'udp', 'unix', 'netlink', 'ipv6_route'];

const chunkSize = 64 * 1024;

const isIterator = ({ type, expectedAttachType }: Program) =>
  type === ProgramType.tracing && expectedAttachType === AttachType.traceIter;

const ofTasks = behindDispatcher({
  accepts: (program) => isIterator(program) && argumentsOf(program)[1] === 'task_struct',
  dispatchers: () => [{ object: 'iterated_task', constants: {} }],
  verdict: 0,
  prepare: (dispatcher, program) =>
    retarget(dispatcher, ProgramType.tracing, AttachType.traceIter, sectionTarget(program)),
  link: (dispatcher) => runAtScrapes(dispatcher),
});

/** `iter/<kind>` over tasks and what they have: run at each scrape, for the tasks of the pod. */
export const taskIterator: AttachFamily = {
  accepts: ofTasks.accepts,
  attach(program, pod, hooks) {
    const attachment = ofTasks.attach(program, pod, hooks);
    if (!isAlone(pod)) return attachment;
    const remark =
      "it finds nothing, because the sidecar sees only its own processes; set shareProcessNamespace: true in the pod's spec";
    return { ...attachment, remark };
  },
};

/** `iter/<kind>` over the sockets and routes of the pod's network namespace: run at each scrape. */
export const networkIterator: AttachFamily = {
  accepts: (program) => isIterator(program) && ofNetwork.includes(sectionTarget(program)),
  attach(program, pod) {
    requireOwnNetwork(program, pod);
    const { close, refresh } = runAtScrapes(program);
    return { detach: close, remark: "it sees the sidecar's own sockets too", ...(refresh && { refresh }) };
  },
};

function runAtScrapes(program: Program): Link {
  const link = attachIterator(program);
  const chunk = Buffer.alloc(chunkSize);
  return {
    close: link.close,
    refresh() {
      const fd = libbpf.bpf_iter_create(link.fd!);
      if (fd < 0) throw new BpfError(`iterator ${program.name} cannot be run`, -fd, '');
      try {
        // It runs as it is read; what it prints is for nobody.
        while (readSync(fd, chunk) > 0);
      } finally {
        closeSync(fd);
      }
    },
  };
}

function argumentsOf(program: Program): (string | undefined)[] {
  return functionArguments(`bpf_iter_${sectionTarget(program)}`) ?? [];
}
