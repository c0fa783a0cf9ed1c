/** The built-in probes: each is `bpf/<name>.bpf.c` with its metric spec `bpf/<name>.yaml`. */
export const builtinProbes = ['network', 'syscalls', 'tcp'] as const;

export function isBuiltin(name: string): boolean {
  return (builtinProbes as readonly string[]).includes(name);
}

/** What a pod gets when it has no `bpf.sh/probes` annotation. */
export const defaultProbes: readonly string[] = ['network', 'tcp'];
