/** The built-in probes: each is a metric spec `bpf/<name>.yaml`, with `bpf/<name>.bpf.c` where it has programs. */
export const builtinProbes = [
  'cpu',
  'disk',
  'dns',
  'files',
  'http',
  'memory',
  'network',
  'pressure',
  'process',
  'profile',
  'security',
  'syscalls',
  'tcp',
] as const;

export function isBuiltin(name: string): boolean {
  return (builtinProbes as readonly string[]).includes(name);
}

/** What a pod gets when it has no `bpf.sh/probes` annotation. */
export const defaultProbes: readonly string[] = ['network', 'tcp', 'cpu', 'memory', 'process'];
