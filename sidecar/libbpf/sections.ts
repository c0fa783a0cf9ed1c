import { AttachType, ProgramType } from './types.ts';

interface SectionType {
  type: number;
  attachType: number;
}

const { schedCls, perfEvent, kprobe, cgroupSockAddr, xdp } = ProgramType;

/** Sections that libbpf 1.1 does not know, in the order in which they are tried. */
const sections: readonly (readonly [RegExp, SectionType])[] = [
  // As cloudflare/ebpf_exporter writes it; libbpf knows the section only without the event.
  [/^perf_event\//, { type: perfEvent, attachType: 0 }],
  [/^tcx\/ingress$/, { type: schedCls, attachType: AttachType.tcxIngress }],
  [/^tcx\/egress$/, { type: schedCls, attachType: AttachType.tcxEgress }],
  [/^(tc|classifier)\//, { type: schedCls, attachType: 0 }],
  // Also as cloudflare/ebpf_exporter writes it, with a device.
  [/^xdp\//, { type: xdp, attachType: AttachType.xdp }],
  [/^u(ret)?probe\.multi\//, { type: kprobe, attachType: AttachType.traceUprobeMulti }],
  [/^cgroup\/connect_unix$/, { type: cgroupSockAddr, attachType: AttachType.cgroupUnixConnect }],
  [/^cgroup\/sendmsg_unix$/, { type: cgroupSockAddr, attachType: AttachType.cgroupUnixSendmsg }],
  [/^cgroup\/recvmsg_unix$/, { type: cgroupSockAddr, attachType: AttachType.cgroupUnixRecvmsg }],
  [/^cgroup\/getpeername_unix$/, { type: cgroupSockAddr, attachType: AttachType.cgroupUnixGetpeername }],
  [/^cgroup\/getsockname_unix$/, { type: cgroupSockAddr, attachType: AttachType.cgroupUnixGetsockname }],
];

/** What a section means whose program libbpf has no type for; undefined when nobody knows. */
export function typeOfSection(section: string): SectionType | undefined {
  return sections.find(([pattern]) => pattern.test(section))?.[1];
}
