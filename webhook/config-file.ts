import { parse } from 'yaml';
import { scrapeDuration } from '../sidecar/contract/annotations.ts';
import {
  anyMapping,
  boolean,
  fail,
  list,
  mapping,
  oneOf,
  quote,
  shaped,
  text,
} from '../sidecar/contract/checks.ts';
import { quantityValue } from './admission/quantity.ts';
import { type InjectionConfig, injectionConfig, privileges } from './config.ts';

/** What the administrator decides, as the chart writes it into the configuration file. */
export interface WebhookConfig {
  sidecar: InjectionConfig;
  /** What becomes of a pod with a bpf.sh/ annotation that is unknown or malformed. */
  invalidAnnotations: 'admit' | 'refuse';
  programs: {
    /** Namespaces whose pods may have programs of a user's own; `*` is all. */
    allowedNamespaces: readonly string[];
  };
  monitors: MonitorsConfig;
  certificate: CertificateConfig;
}

export const monitorKinds = ['ServiceMonitor', 'PodMonitor', 'annotations', 'none'] as const;
export const monitorScopes = ['pod', 'namespace'] as const;

/** How Prometheus gets to know of the injected pods. */
export interface MonitorsConfig {
  kind: (typeof monitorKinds)[number];
  scope: (typeof monitorScopes)[number];
  /** As Prometheus writes durations; `bpf.sh/scrape-interval` and `-timeout` of a pod come before them. */
  interval: string;
  timeout: string;
  /** Of the monitors, for the selector of a Prometheus. */
  labels: Readonly<Record<string, string>>;
  /** As the Prometheus Operator has them, which checks them. */
  relabelings: readonly object[];
  metricRelabelings: readonly object[];
}

/** Where the certificate of the server comes from: a CA of our own in a Secret, or files that somebody else renews. */
export type CertificateConfig =
  | {
      authoritySecret: { namespace: string; name: string };
      dnsNames: readonly string[];
      /** Names of the configurations whose `caBundle` is kept. */
      webhookConfigurations: { mutating: readonly string[]; validating: readonly string[] };
    }
  | { directory: string };

const limits = { names: 64, namespaces: 1000, relabelings: 100, labels: 64 } as const;

/** RFC 1123, as Kubernetes has it for names of most objects. */
const nameShape = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const imageShape = /^\S{1,512}$/;
const labelShape = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

/**
 * Reads the configuration file. `source` is its name, for messages. Throws an Error of one sentence that names the field,
 * what it is and what it must be. What is left out has the defaults of the chart's values, but for the image and the
 * certificate, which have none.
 */
export function parseConfig(yaml: string, source: string): WebhookConfig {
  const fields = mapping(parseDocument(yaml, source), source, [
    'sidecar',
    'invalidAnnotations',
    'programs',
    'monitors',
    'certificate',
  ]);
  const programs = mapping(fields.programs ?? {}, `${source}: programs`, ['allowedNamespaces']);
  const monitors = readMonitors(fields.monitors ?? {}, `${source}: monitors`);
  return {
    sidecar: {
      ...readSidecar(fields.sidecar, `${source}: sidecar`),
      scrapeAnnotations: monitors.kind === 'annotations',
    },
    invalidAnnotations: oneOf(fields.invalidAnnotations ?? 'admit', `${source}: invalidAnnotations`, [
      'admit',
      'refuse',
    ]),
    programs: {
      allowedNamespaces: list(
        programs.allowedNamespaces ?? [],
        `${source}: programs.allowedNamespaces`,
        [0, limits.namespaces],
        (value, at) => (value === '*' ? '*' : name(value, at)),
      ),
    },
    monitors,
    certificate: readCertificate(fields.certificate, `${source}: certificate`),
  };
}

function parseDocument(yaml: string, source: string): unknown {
  try {
    return parse(yaml, { logLevel: 'error' });
  } catch (error) {
    return fail(source, `is no YAML: ${(error as Error).message.split('\n')[0]}`);
  }
}

function readSidecar(value: unknown, at: string): InjectionConfig {
  const fields = mapping(value, at, ['image', 'imagePullPolicy', 'privilege', 'allowNodeWide', 'resources']);
  const image = shaped(fields.image, `${at}.image`, imageShape, 'an image reference');
  const defaults = injectionConfig(image, {
    privilege: oneOf(fields.privilege ?? 'privileged', `${at}.privilege`, privileges),
    nodeWide: boolean(fields.allowNodeWide ?? false, `${at}.allowNodeWide`),
  });
  const resources = mapping(fields.resources ?? {}, `${at}.resources`, ['requests', 'limits', 'guaranteed']);
  const read = (kind: 'requests' | 'limits' | 'guaranteed') =>
    resources[kind] === undefined
      ? defaults.resources[kind]
      : quantities(resources[kind], `${at}.resources.${kind}`);
  return {
    ...defaults,
    imagePullPolicy: oneOf(fields.imagePullPolicy ?? defaults.imagePullPolicy, `${at}.imagePullPolicy`, [
      'Always',
      'IfNotPresent',
      'Never',
    ]),
    resources: {
      requests: read('requests'),
      limits: read('limits'),
      guaranteed: { ...defaults.resources.guaranteed, ...read('guaranteed') },
    },
  };
}

function quantities(value: unknown, at: string): { cpu?: string; memory?: string } {
  const fields = mapping(value, at, ['cpu', 'memory']);
  return Object.fromEntries(
    Object.entries(fields).map(([resource, quantity]) => {
      if (!(quantityValue(String(quantity)) > 0))
        fail(
          `${at}.${resource}`,
          `must be a quantity above 0, such as 100m or 64Mi, not ${String(quantity)}`,
        );
      return [resource, String(quantity)];
    }),
  );
}

function readMonitors(value: unknown, at: string): MonitorsConfig {
  const fields = mapping(value, at, [
    'kind',
    'scope',
    'interval',
    'timeout',
    'labels',
    'relabelings',
    'metricRelabelings',
  ]);
  const duration = (field: 'interval' | 'timeout', otherwise: string) => {
    const written = fields[field] ?? otherwise;
    if (typeof written !== 'string' || scrapeDuration(written) === undefined)
      fail(`${at}.${field}`, `must be a duration from 1s to 24h, such as 30s or 1m, not ${quote(written)}`);
    return written;
  };
  const relabelings = (field: 'relabelings' | 'metricRelabelings') =>
    list(fields[field] ?? [], `${at}.${field}`, [0, limits.relabelings], anyMapping);
  return {
    kind: oneOf(fields.kind ?? 'ServiceMonitor', `${at}.kind`, monitorKinds),
    scope: oneOf(fields.scope ?? 'pod', `${at}.scope`, monitorScopes),
    interval: duration('interval', '30s'),
    timeout: duration('timeout', '10s'),
    labels: labels(fields.labels ?? {}, `${at}.labels`),
    relabelings: relabelings('relabelings'),
    metricRelabelings: relabelings('metricRelabelings'),
  };
}

function labels(value: unknown, at: string): Record<string, string> {
  const fields = anyMapping(value, at);
  if (Object.keys(fields).length > limits.labels) fail(at, `must be at most ${limits.labels} labels`);
  return Object.fromEntries(
    Object.entries(fields).map(([label, content]) => [
      label,
      shaped(content, `${at}.${label}`, labelShape, 'the value of a label'),
    ]),
  );
}

function readCertificate(value: unknown, at: string): CertificateConfig {
  const fields = mapping(value, at, ['authoritySecret', 'directory', 'dnsNames', 'webhookConfigurations']);
  if ((fields.authoritySecret === undefined) === (fields.directory === undefined))
    fail(at, 'must have either authoritySecret or directory');
  if (fields.directory !== undefined) return { directory: text(fields.directory, `${at}.directory`, 4096) };
  const secret = mapping(fields.authoritySecret, `${at}.authoritySecret`, ['namespace', 'name']);
  const kept = mapping(fields.webhookConfigurations ?? {}, `${at}.webhookConfigurations`, [
    'mutating',
    'validating',
  ]);
  const names = (field: unknown, place: string, least: number) =>
    list(field ?? [], place, [least, limits.names], name);
  return {
    authoritySecret: {
      namespace: name(secret.namespace, `${at}.authoritySecret.namespace`),
      name: name(secret.name, `${at}.authoritySecret.name`),
    },
    dnsNames: names(fields.dnsNames, `${at}.dnsNames`, 1),
    webhookConfigurations: {
      mutating: names(kept.mutating, `${at}.webhookConfigurations.mutating`, 0),
      validating: names(kept.validating, `${at}.webhookConfigurations.validating`, 0),
    },
  };
}

function name(value: unknown, at: string): string {
  return shaped(value, at, nameShape, 'a name as Kubernetes has them');
}
