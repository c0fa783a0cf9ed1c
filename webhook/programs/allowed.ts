/**
 * Why pods of `namespace` may not have programs of a user's own, in one sentence, or undefined. `allowed` are the
 * namespaces of the configuration, of which `*` is all.
 */
export function programsOff(namespace: string, allowed: readonly string[]): string | undefined {
  if (allowed.includes('*') || allowed.includes(namespace)) return undefined;
  return `the administrator does not allow them in namespace "${namespace}" (value programs.allowedNamespaces)`;
}
