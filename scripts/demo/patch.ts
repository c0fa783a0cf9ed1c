import type { V1Container, V1Volume } from '@kubernetes/client-node';
import type { Operation } from 'fast-json-patch';

/** What a patch adds to a pod, a line for each part, for people to read. */
export function describePatch(patch: readonly Operation[]): string[] {
  return patch.flatMap((operation) => {
    if (operation.op !== 'add') return [`${operation.op} ${operation.path}`];
    const path = operation.path.slice(1).split('/').map(unescapePointer);
    return describeValue(path, operation.value);
  });
}

function describeValue(path: string[], value: unknown): string[] {
  const [top, part, key] = path;
  const values = Array.isArray(value) ? value : [value];
  if (top === 'spec' && part === 'initContainers') return values.map(describeContainer);
  if (top === 'spec' && part === 'volumes') return values.map(describeVolume);
  if (key === undefined && typeof value === 'object' && value !== null)
    return Object.entries(value).map(([name, text]) => describeText(part, name, text));
  return [describeText(part, key ?? '', value)];
}

function describeContainer(container: V1Container): string {
  const traits = [
    ...(container.restartPolicy === 'Always' ? ['native sidecar'] : []),
    ...(container.securityContext?.privileged ? ['privileged'] : []),
    ...(container.ports ?? []).map(({ containerPort }) => `port ${containerPort}`),
  ];
  return `+ container   ${container.name}: ${[...traits, `image ${container.image}`].join(', ')}`;
}

function describeVolume({ name, ...source }: V1Volume): string {
  return `+ volume      ${name}: ${source.hostPath ? `the node's ${source.hostPath.path}` : Object.keys(source).join(', ')}`;
}

function describeText(part: string | undefined, name: string, text: unknown): string {
  const kind = part === 'labels' ? 'label' : part === 'annotations' ? 'annotation' : String(part);
  return `+ ${kind.padEnd(11)} ${name}: ${typeof text === 'string' ? text : JSON.stringify(text)}`;
}

/** RFC 6901, section 4. */
function unescapePointer(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~');
}
