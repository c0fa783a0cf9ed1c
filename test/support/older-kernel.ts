/**
 * Makes the kernel answer as those do that have no links for perf events (before Linux 5.15) and no tcx (before 6.6), for
 * the process that imports it.
 */
import { bpfCall } from '../../sidecar/libbpf/native.ts';
import { AttachType } from '../../sidecar/libbpf/types.ts';

const later: readonly number[] = [AttachType.perfEvent, AttachType.tcxIngress, AttachType.tcxEgress];
const BPF_LINK_CREATE = 28;
/** One that no kernel knows: it says so itself, with EINVAL. */
const unknownCommand = 9999;

const { syscall } = bpfCall;
(bpfCall as { syscall: typeof syscall }).syscall = (number, command, attributes, size) => {
  const isLater = command === BPF_LINK_CREATE && later.includes(attributes!.readUInt32LE(8));
  return syscall(number, isLater ? unknownCommand : command, attributes, size);
};
