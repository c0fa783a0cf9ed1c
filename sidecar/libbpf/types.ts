/** The numbers of <linux/bpf.h> that we decide by. */

export const ProgramType = {
  socketFilter: 1,
  tracepoint: 5,
  cgroupSkb: 8,
  cgroupSock: 9,
  sockOps: 13,
  cgroupDevice: 15,
  rawTracepoint: 17,
  cgroupSockAddr: 18,
  cgroupSysctl: 23,
  cgroupSockopt: 25,
  tracing: 26,
} as const;

export const AttachType = {
  traceRawTp: 23,
} as const;

export const MapType = {
  hash: 1,
  array: 2,
  percpuHash: 5,
  percpuArray: 6,
  lruHash: 9,
  lruPercpuHash: 10,
  perfEventArray: 4,
  lpmTrie: 11,
  arrayOfMaps: 12,
  hashOfMaps: 13,
  cgroupStorage: 19,
  percpuCgroupStorage: 21,
  ringBuffer: 27,
} as const;
