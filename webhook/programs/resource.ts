import { anyMapping, fail, mapping, shaped } from '../../sidecar/contract/checks.ts';
import { readMetricSpec, specLimits } from '../../sidecar/contract/metric-spec.ts';
import { programFiles } from '../../sidecar/contract/pod.ts';
import { isBuiltin } from '../../sidecar/contract/probes.ts';

/** The custom resource, as the API server names it. */
export const bpfGroup = 'bpf.sh';
export const bpfVersion = 'v1alpha1';
export const bpfApi = `/apis/${bpfGroup}/${bpfVersion}`;
export const bpfCrd = `bpfs.${bpfGroup}`;

/** A key of a ConfigMap or of a Secret, in the namespace of the resource that names it. */
export interface KeyReference {
  kind: 'ConfigMap' | 'Secret';
  name: string;
  key: string;
}

/** What a `BPF` resource asks for. */
export interface Program {
  name: string;
  /** Where the compiled object is. */
  object: KeyReference;
  /** Where the metric spec is. Without it every map that can be read becomes a counter. */
  spec?: KeyReference;
  /** The metric spec itself, when it is in the resource: the webhook keeps it where `spec` says. */
  inlineSpec?: object;
}

const maxName = 63;
/** In a metric spec of a resource: to compile one can take some ten milliseconds, in which no pod is admitted. */
const maxRegexps = 32;
const objectName = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const keyShape = /^[-._a-zA-Z0-9]{1,253}$/;

/**
 * Reads a `BPF` resource of name `name`. Throws an Error of one sentence that names the field, what is wrong with it and
 * what is allowed. A metric spec in it has been read as the sidecar will read it.
 */
export function readProgram(name: string, spec: unknown): Program {
  if (name.length > maxName) fail('metadata.name', `must have at most ${maxName} characters`);
  if (isBuiltin(name)) fail('metadata.name', `"${name}" is the name of a built-in probe; choose another one`);
  const { program, metrics } = mapping(spec, 'spec', ['program', 'metrics']);
  const { valueFrom } = mapping(program, 'spec.program', ['valueFrom']);
  return {
    name,
    object: readReference(valueFrom, 'spec.program.valueFrom'),
    ...(metrics !== undefined && readMetrics(name, metrics)),
  };
}

function readMetrics(name: string, metrics: unknown): Pick<Program, 'spec' | 'inlineSpec'> {
  const at = 'spec.metrics';
  const { value, valueFrom } = mapping(metrics, at, ['value', 'valueFrom']);
  if ((value === undefined) === (valueFrom === undefined))
    fail(at, 'must have either value, the metric spec itself, or valueFrom');
  if (value === undefined) return { spec: readReference(valueFrom, `${at}.valueFrom`) };
  const inlineSpec = anyMapping(value, `${at}.value`);
  if (Buffer.byteLength(JSON.stringify(inlineSpec)) > specLimits.bytes)
    fail(`${at}.value`, `is larger than ${specLimits.bytes} bytes, the most a metric spec may have`);
  if (countRegexps(inlineSpec) > maxRegexps)
    fail(`${at}.value`, `has more than ${maxRegexps} regexps; with valueFrom it may have more`);
  readMetricSpec(inlineSpec, `${at}.value`);
  return { spec: inlineReference(name), inlineSpec };
}

function countRegexps(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const regexps = Object.hasOwn(value, 'regexps') ? (value as { regexps: unknown }).regexps : undefined;
  const own = Array.isArray(regexps) ? regexps.length : 0;
  return Object.values(value).reduce((sum, item) => sum + countRegexps(item), own);
}

/** Where the metric spec that is in the resource `name` is kept for its pods. */
function inlineReference(name: string): KeyReference {
  return { kind: 'ConfigMap', name: `${name}.${bpfGroup}`, key: programFiles.spec };
}

function readReference(value: unknown, at: string): KeyReference {
  const { configMapKeyRef, secretKeyRef } = mapping(value, at, ['configMapKeyRef', 'secretKeyRef']);
  if ((configMapKeyRef === undefined) === (secretKeyRef === undefined))
    fail(at, 'must have either configMapKeyRef or secretKeyRef');
  return configMapKeyRef === undefined
    ? { kind: 'Secret', ...readKey(secretKeyRef, `${at}.secretKeyRef`) }
    : { kind: 'ConfigMap', ...readKey(configMapKeyRef, `${at}.configMapKeyRef`) };
}

function readKey(value: unknown, at: string): Omit<KeyReference, 'kind'> {
  const { name, key } = mapping(value, at, ['name', 'key']);
  return {
    name: shaped(name, `${at}.name`, objectName, 'the name of a ConfigMap or Secret'),
    key: shaped(key, `${at}.key`, keyShape, 'a key of it: letters, digits, -, _ and .'),
  };
}
