/** The labels of a namespace; `unknown` while the API server has not told of it. */
export type NamespaceLabels = Readonly<Record<string, string>> | 'unknown';

const injectionLabel = 'bpf.sh/injection';
const podSecurityPrefix = 'pod-security.kubernetes.io/';

/** Those of a namespace's labels that are read here, which are all that has to be kept. */
export function relevantLabels(labels: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(labels).filter(([name]) => name === injectionLabel || name.startsWith(podSecurityPrefix)),
  );
}

/** Whether the sidecar is kept from all pods of the namespace. */
export function isDisabled(labels: NamespaceLabels): boolean {
  return labels !== 'unknown' && labels[injectionLabel] === 'disabled';
}

/**
 * The namespace's label, as `name=level`, by which Pod Security admission minds the sidecar. Every level but
 * `privileged` does, since the sidecar mounts paths of the node; the API server takes a level that it does not
 * know for `restricted`. See https://kubernetes.io/docs/concepts/security/pod-security-standards/
 */
export function podSecurityLabel(
  labels: NamespaceLabels,
  mode: 'enforce' | 'warn' | 'audit',
): string | undefined {
  if (labels === 'unknown') return undefined;
  const label = `${podSecurityPrefix}${mode}`;
  const level = labels[label];
  return level === undefined || level === 'privileged' ? undefined : `${label}=${level}`;
}
