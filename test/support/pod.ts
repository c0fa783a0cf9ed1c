import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import type { V1Container, V1Pod } from '@kubernetes/client-node';
import jsonPatch from 'fast-json-patch';
import { type RunningPod, startPod } from '../../scripts/node/pod.ts';
import { reviewOf } from '../../scripts/node/review.ts';
import {
  type Container,
  createSandbox,
  type Sandbox,
  type SandboxOptions,
} from '../../scripts/node/sandbox.ts';
import { admit } from '../../webhook/admission/admit.ts';
import { parse, type Sample } from '../../webhook/cli/top/samples.ts';
import { injectionConfig, type Privilege } from '../../webhook/config.ts';
import type { NamespacePrograms } from '../../webhook/programs/resolve.ts';

const image = 'bpf-sidecar:test';
/** Milliseconds for a scrape: a machine that is only emulated takes some seconds. */
const patience = 30_000;
/** What the image of the sidecar starts. */
export const entrypoint = [process.execPath, join(import.meta.dirname, '../../scripts/bpf-sidecar.ts')];

/** A pod on this machine with the sidecar at work in it, as the webhook injected it, and room for containers. */
export interface ObservedPod {
  sandbox: Sandbox;
  running: RunningPod;
  /** Adds a container cgroup to work in, with the name that series carry. */
  addContainer(name: string): Container;
  /** The container that the sidecar itself runs in. */
  sidecar: Container;
  url(path: string): string;
  scrape(): Promise<Samples>;
  stop(): Promise<void>;
}

export interface Samples {
  /** The value of the one series that has these labels; 0 when there is none. */
  value(name: string, labels?: Readonly<Record<string, string>>): number;
  /** The values of all that have these labels, added up. */
  sum(name: string, labels?: Readonly<Record<string, string>>): number;
  all: Sample[];
}

export interface ObservedPodOptions extends SandboxOptions {
  probes?: string;
  annotations?: Record<string, string>;
  labels?: Record<string, string>;
  privilege?: Privilege;
  /** The BPF resources of the pod's namespace. */
  programs?: NamespacePrograms;
  /** ConfigMaps of the pod's namespace: by name a directory with a file for each key. */
  configMaps?: Readonly<Record<string, string>>;
  /** Runs the sidecar in a cgroup namespace of its own. */
  cgroupNamespace?: boolean;
  /** Changes the pod that the webhook injected, and the sidecar's container in it, before it starts. */
  edit?(sidecar: V1Container, pod: V1Pod): void;
}

/** Starts a pod through the webhook's own code and waits until the sidecar is ready. */
export async function startObservedPod(options: ObservedPodOptions = {}): Promise<ObservedPod> {
  const sandbox = await createSandbox({ network: true, ...options });
  try {
    // The sandbox remembers the sidecar's container only by name, so catch it as it is made.
    const containers: Container[] = [];
    const recording: Sandbox = {
      ...sandbox,
      addContainer(name) {
        const container = sandbox.addContainer(name);
        containers.push(container);
        return options.cgroupNamespace
          ? {
              ...container,
              spawn: (argv, spawn) => container.spawn(argv, { ...spawn, cgroupNamespace: true }),
            }
          : container;
      },
    };
    const pod = inject(sandbox, options);
    options.edit?.(pod.spec!.initContainers![0]!, pod);
    const images = { [image]: { entrypoint } };
    // No bpffs, whatever the machine has at that place: the dispatchers end with the sidecar.
    const noBpffs = join(sandbox.volumes, 'bpf');
    mkdirSync(noBpffs);
    const hostPaths = { '/var/log/containers': sandbox.containerLogs, '/sys/fs/bpf': noBpffs };
    const running = await startPod(pod, recording, {
      images,
      hostPaths,
      ...(options.configMaps && { configMaps: options.configMaps }),
    });
    const url = (path: string) => `http://${sandbox.address}:9387${path}`;
    return {
      sandbox,
      running,
      addContainer: (name) => sandbox.addContainer(name),
      sidecar: containers[0]!,
      url,
      scrape: async () =>
        samplesOf(await (await fetch(url('/metrics'), { signal: AbortSignal.timeout(patience) })).text()),
      async stop() {
        await running.stop();
        await sandbox.destroy();
      },
    };
  } catch (error) {
    await sandbox.destroy();
    throw error;
  }
}

/** An observed pod that goes with its test. */
export async function podFor(t: TestContext, options: ObservedPodOptions): Promise<ObservedPod> {
  const pod = await startObservedPod(options);
  t.after(() => pod.stop());
  return pod;
}

/** Runs a command in a container to its end and gives what it printed; fails when it fails. */
export async function output(container: Container, ...argv: string[]): Promise<string> {
  const child = container.spawn(argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [printed, [code]] = await Promise.all([text(child.stdout!), once(child, 'exit')]);
  if (code !== 0) throw new Error(`${argv[0]} ended with exit code ${code}`);
  return printed;
}

export function samplesOf(text: string): Samples {
  const all = parse(text);
  const matching = (name: string, labels: Readonly<Record<string, string>>) =>
    all.filter(
      (sample) =>
        sample.name === name &&
        Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    );
  return {
    all,
    value(name, labels = {}) {
      const found = matching(name, labels);
      if (found.length > 1)
        throw new Error(`${found.length} series of ${name} match ${JSON.stringify(labels)}`);
      return found[0]?.value ?? 0;
    },
    sum: (name, labels = {}) => matching(name, labels).reduce((sum, { value }) => sum + value, 0),
  };
}

/** The pod as the webhook would have it, less its application containers: tests bring their own. */
function inject(
  sandbox: Sandbox,
  { probes, annotations, labels, privilege, programs }: ObservedPodOptions,
): V1Pod {
  const object = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: sandbox.pod,
      namespace: sandbox.namespace,
      uid: sandbox.uid,
      labels: { ...labels },
      annotations: {
        'bpf.sh/inject': 'true',
        ...(probes !== undefined && { 'bpf.sh/probes': probes }),
        ...annotations,
      },
    },
    spec: { containers: [{ name: 'web', image: 'none' }] },
  };
  const admission = admit(
    reviewOf(object, 'test', sandbox.namespace),
    { sidecar: injectionConfig(image, privilege && { privilege }), invalidAnnotations: 'admit' },
    undefined,
    () => programs,
  );
  if ('problem' in admission) throw new Error(admission.problem);
  const { patch } = admission.review.response;
  if (patch === undefined)
    throw new Error(`not injected: ${admission.reason} ${admission.messages.join('; ')}`);
  const operations = JSON.parse(Buffer.from(patch, 'base64').toString());
  const pod = jsonPatch.applyPatch(object, operations).newDocument as V1Pod;
  return { ...pod, spec: { ...pod.spec!, containers: [] } };
}
