import type { builtinProbes } from './probes.ts';

/** <linux/capability.h> */
export const capabilityNumbers = {
  DAC_READ_SEARCH: 2,
  SETUID: 7,
  SETPCAP: 8,
  NET_BIND_SERVICE: 10,
  NET_ADMIN: 12,
  NET_RAW: 13,
  SYS_PTRACE: 19,
  SYS_ADMIN: 21,
  SYS_RESOURCE: 24,
  SYSLOG: 34,
  PERFMON: 38,
  BPF: 39,
} as const;

/** As a container's securityContext names them. */
export type Capability = keyof typeof capabilityNumbers;

/** To take all capabilities from the threads of the sidecar that need none; it has them no more when it serves. */
export const forThreads: readonly Capability[] = ['SETUID'];

/** To find the pod by a program that the kernel runs, and for programs on tracepoints. */
const always: readonly Capability[] = ['BPF', 'PERFMON'];

/** To load a program of any kind, without attaching it. */
export const toLoad: readonly Capability[] = ['BPF', 'PERFMON', 'NET_ADMIN'];

/** Beyond those: programs on packets and sockets (NET_ADMIN), the names of the kernel's functions (SYSLOG). */
const ofProbes: Record<(typeof builtinProbes)[number], readonly Capability[]> = {
  cpu: [],
  disk: [],
  dns: ['NET_ADMIN'],
  files: [],
  http: ['NET_ADMIN'],
  memory: [],
  network: ['NET_ADMIN'],
  pressure: [],
  process: [],
  profile: ['SYSLOG'],
  security: ['NET_ADMIN'],
  syscalls: [],
  tcp: ['NET_ADMIN'],
};

/**
 * What any kind of program may need, for of which kinds a pod's are is not known when the pod is created, and may change:
 * programs on packets, sockets and cgroups (NET_ADMIN), packet sockets (NET_RAW), executables and libraries of other
 * containers (SYS_PTRACE, DAC_READ_SEARCH), uprobes, tracefs, perf events where the kernel is strict and maps in maps
 * (SYS_ADMIN), addresses of kernel functions (SYSLOG).
 */
const ofPrograms: readonly Capability[] = [
  ...(['NET_ADMIN', 'NET_RAW', 'SYS_PTRACE', 'DAC_READ_SEARCH', 'SYS_ADMIN', 'SYSLOG'] as const),
];

/** Above this a port needs no capability. */
const lastPrivilegedPort = 1023;

/** What the sidecar needs, on Linux 5.11 and later, to run these probes and programs and begin to serve on this port. */
export function neededCapabilities(
  probes: readonly string[],
  programs: readonly string[],
  port?: number,
): Capability[] {
  return [
    ...new Set([
      ...always,
      ...forThreads,
      ...Object.entries(ofProbes).flatMap(([name, needed]) => (probes.includes(name) ? needed : [])),
      ...(programs.length > 0 ? ofPrograms : []),
      ...(port !== undefined && port <= lastPrivilegedPort ? (['NET_BIND_SERVICE'] as const) : []),
    ]),
  ];
}
