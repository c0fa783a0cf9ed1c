import { closeSync } from 'node:fs';
import { BpfError } from '../../libbpf/error.ts';
import { errno } from '../../libbpf/memory.ts';
import { libc } from '../../libbpf/native.ts';
import { programFd } from '../../libbpf/object.ts';
import { ProgramType } from '../../libbpf/types.ts';
import type { AttachFamily } from './family.ts';
import { ownPackets, requireOwnNetwork } from './pod-interfaces.ts';

// <linux/if_packet.h>, <asm-generic/socket.h>
const AF_PACKET = 17;
const SOCK_RAW_CLOEXEC = 0o2000003;
const ETH_P_ALL = 0x0003;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_ATTACH_BPF = 50;

/**
 * `socket`: a filter on a packet socket, which sees each packet on each interface of the network namespace that
 * the containers of the pod share, scrapes of the sidecar among them: the kernel scopes it to the pod, and no
 * dispatcher can tell more of a packet at that place.
 */
export const socketFilter: AttachFamily = {
  accepts: (program) => program.type === ProgramType.socketFilter,
  attach(program, pod) {
    requireOwnNetwork(program, pod);
    const socket = libc.socket(AF_PACKET, SOCK_RAW_CLOEXEC, bigEndian16(ETH_P_ALL));
    if (socket < 0)
      throw new BpfError(`program ${program.name}: a packet socket cannot be made`, errno(), '');
    // Nobody reads what the filter lets through: keep as little of it as the kernel allows.
    libc.setsockopt(socket, SOL_SOCKET, SO_RCVBUF, int32(0), 4);
    if (libc.setsockopt(socket, SOL_SOCKET, SO_ATTACH_BPF, int32(programFd(program)), 4) < 0) {
      const error = errno();
      closeSync(socket);
      throw new BpfError(`program ${program.name} cannot be attached to a packet socket`, error, '');
    }
    return { detach: () => closeSync(socket), remark: ownPackets };
  },
};

function bigEndian16(value: number): number {
  return ((value & 0xff) << 8) | (value >> 8);
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32LE(value);
  return buffer;
}
