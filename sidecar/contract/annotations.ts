import { type LogLevel, logLevels } from './log.ts';
import { type ProbeOptions, readProbeOptions } from './probe-options.ts';
import { builtinProbes, defaultProbes } from './probes.ts';

/** All our annotations and labels begin with this. */
export const annotationPrefix = 'bpf.sh/';

export const injectAnnotation = 'bpf.sh/inject';
export const statusAnnotation = 'bpf.sh/status';
export const injectedLabel = 'bpf.sh/injected';
/** Tells injected pods apart before they have names: what a monitor of one pod selects. */
export const idLabel = 'bpf.sh/id';

/** What a pod's annotations ask for, with defaults filled in. */
export interface Settings {
  probes: string[];
  programs: string[];
  probeOptions: ProbeOptions;
  metricsPort: number;
  scrapeInterval?: string;
  scrapeTimeout?: string;
  /** Names of pod labels to copy onto every series. */
  podLabels: string[];
  /** Names of the containers to observe; empty means all. */
  containers: string[];
  logLevel: LogLevel;
  resources: Resources;
}

/** Kubernetes quantities as written, e.g. `50m`, `64Mi`. */
export interface Resources {
  cpuRequest?: string;
  cpuLimit?: string;
  memoryRequest?: string;
  memoryLimit?: string;
}

/** One annotation that cannot be accepted, in parts so that every reader can word it the same way. */
export interface Problem {
  annotation: string;
  value: string;
  /** What is wrong and what is allowed, without a full stop. */
  reason: string;
}

/** `annotation bpf.sh/probes="foo": unknown probe "foo"; allowed are network, …`. */
export function describeProblem(problem: Problem): string {
  return `annotation ${problem.annotation}=${JSON.stringify(clip(problem.value))}: ${problem.reason}`;
}

type Accepted = { settings: Settings; problems: Problem[] };
type Assign = (settings: Settings, value: string) => string | undefined;

const dnsLabel = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const dnsSubdomain = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const labelKey = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const quantity = /^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/;

/** One entry per annotation: stores the value, or returns why it cannot. */
const readers: Record<string, Assign> = {
  inject: (_, value) => (value === 'true' || value === 'false' ? undefined : 'must be "true" or "false"'),
  probes: (settings, value) => {
    const names = list(value);
    const unknown = names.find((name) => !(builtinProbes as readonly string[]).includes(name));
    if (unknown !== undefined)
      return `unknown probe ${JSON.stringify(clip(unknown))}; allowed are ${builtinProbes.join(', ')}`;
    settings.probes = names;
    return undefined;
  },
  programs: (settings, value) =>
    assignList(settings, 'programs', value, dnsSubdomain, 'names of BPF resources'),
  'metrics-port': (settings, value) => {
    const port = /^[0-9]{1,5}$/.test(value) ? Number(value) : Number.NaN;
    if (!(port >= 1 && port <= 65535)) return 'must be a port number from 1 to 65535';
    settings.metricsPort = port;
    return undefined;
  },
  'scrape-interval': (settings, value) => {
    if (scrapeDuration(value) === undefined) return 'must be a duration from 1s to 24h, such as 15s or 1m30s';
    settings.scrapeInterval = value;
    return undefined;
  },
  'scrape-timeout': (settings, value) => {
    if (scrapeDuration(value) === undefined) return 'must be a duration from 1s to 24h, such as 10s or 1m30s';
    settings.scrapeTimeout = value;
    return undefined;
  },
  'pod-labels': (settings, value) =>
    assignList(settings, 'podLabels', value, labelKey, 'names of pod labels'),
  containers: (settings, value) => assignList(settings, 'containers', value, dnsLabel, 'container names'),
  'probe-options': (settings, value) => {
    const options = readProbeOptions(value);
    if (typeof options === 'string') return options;
    settings.probeOptions = options;
    return undefined;
  },
  'log-level': (settings, value) => {
    if (!(logLevels as readonly string[]).includes(value)) return `must be one of ${logLevels.join(', ')}`;
    settings.logLevel = value as LogLevel;
    return undefined;
  },
  'cpu-request': (settings, value) => assignQuantity(settings, 'cpuRequest', value),
  'cpu-limit': (settings, value) => assignQuantity(settings, 'cpuLimit', value),
  'memory-request': (settings, value) => assignQuantity(settings, 'memoryRequest', value),
  'memory-limit': (settings, value) => assignQuantity(settings, 'memoryLimit', value),
  /** Written by the webhook itself. */
  status: () => undefined,
};

/**
 * Reads every `bpf.sh/` annotation of a pod. Nothing is ignored in silence: an unknown name or a malformed
 * value is a problem, and the settings then hold the default for it.
 */
export function readAnnotations(annotations: Readonly<Record<string, string>>): Accepted {
  const settings: Settings = {
    probes: [...defaultProbes],
    programs: [],
    probeOptions: {},
    metricsPort: 9387,
    podLabels: [],
    containers: [],
    logLevel: 'info',
    resources: {},
  };
  const problems: Problem[] = [];
  for (const [annotation, value] of Object.entries(annotations)) {
    if (!annotation.startsWith(annotationPrefix)) continue;
    const name = annotation.slice(annotationPrefix.length);
    const reader = Object.hasOwn(readers, name) ? readers[name] : undefined;
    const reason = reader
      ? reader(settings, value)
      : `unknown annotation; allowed are ${Object.keys(readers).join(', ')}, each after ${annotationPrefix}`;
    if (reason !== undefined) problems.push({ annotation, value, reason });
  }
  return { settings, problems };
}

const durationUnits = [3_600_000, 60_000, 1000, 1];
const day = 24 * 3_600_000;

/** A duration as Prometheus writes it, in milliseconds; undefined for what is none from 1s to 24h. */
export function scrapeDuration(value: string): number | undefined {
  const parts = value.match(/^(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?(?:([0-9]+)ms)?$/)?.slice(1);
  const total = parts?.reduce((sum, part, index) => sum + Number(part ?? 0) * durationUnits[index]!, 0);
  return total !== undefined && total >= 1000 && total <= day ? total : undefined;
}

function list(value: string): string[] {
  const items = value.split(',').map((item) => item.trim());
  return [...new Set(items.filter((item) => item !== ''))];
}

function assignList(
  settings: Settings,
  field: 'programs' | 'podLabels' | 'containers',
  value: string,
  shape: RegExp,
  what: string,
): string | undefined {
  const items = list(value);
  const bad = items.find((item) => !shape.test(item));
  if (bad !== undefined)
    return `must be ${what} separated by commas, and ${JSON.stringify(clip(bad))} is not one`;
  settings[field] = items;
  return undefined;
}

function assignQuantity(settings: Settings, field: keyof Resources, value: string): string | undefined {
  if (!quantity.test(value)) return 'must be a Kubernetes quantity such as 50m or 64Mi';
  settings.resources[field] = value;
  return undefined;
}

/** Keeps what a user wrote from flooding a message. */
function clip(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
