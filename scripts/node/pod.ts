import type { V1Container, V1Pod } from '@kubernetes/client-node';
import { type Child, failure, watch } from './child.ts';
import { fieldValue } from './fields.ts';
import { awaitStartup } from './probe.ts';
import type { Sandbox } from './sandbox.ts';
import { makeVolumes, mountsOf, type VolumeSources, writeFiles } from './volumes.ts';

/** What this machine has in place of a cluster's registry and node. */
export interface Surroundings extends VolumeSources {
  /** For each image name the command that the image would start. */
  images: Readonly<Record<string, { entrypoint: string[] }>>;
}

export interface RunningPod {
  containers: RunningContainer[];
  /** Changes the annotations of the running pod: the files of its downward API volumes follow. */
  updateAnnotations(annotations: Record<string, string>): void;
  /** Brings its volumes the ConfigMaps and Secrets as they are now. */
  updateVolumes(): void;
  /** Ends the containers and then the sidecars, last first: SIGTERM, and SIGKILL after the grace period. */
  stop(): Promise<void>;
}

export interface RunningContainer extends Child {
  name: string;
}

/**
 * Starts a pod in a sandbox as kubelet would: init containers in their order, native sidecars among them
 * until their startup probe succeeds and the others until they end, then the containers. Nothing is
 * restarted. Throws, with everything stopped, when a part of the spec cannot be had here or does not start.
 */
export async function startPod(
  pod: V1Pod,
  sandbox: Sandbox,
  surroundings: Surroundings,
): Promise<RunningPod> {
  const volumes = makeVolumes(pod, sandbox, surroundings);
  const sidecars: RunningContainer[] = [];
  const containers: RunningContainer[] = [];
  const grace = pod.spec?.terminationGracePeriodSeconds ?? 30;

  const start = (container: V1Container): RunningContainer => {
    const child = sandbox.addContainer(container.name).spawn(argvOf(container, surroundings.images), {
      env: environmentOf(container, pod, sandbox),
      mounts: mountsOf(container, volumes),
      stdio: ['ignore', 'pipe', 'pipe'],
      cgroupNamespace: !container.securityContext?.privileged,
    });
    return { name: container.name, ...watch(child) };
  };
  const stop = async () => {
    await Promise.all(containers.map((container) => container.terminate(grace)));
    for (const sidecar of sidecars.toReversed()) await sidecar.terminate(grace);
  };

  try {
    for (const container of pod.spec?.initContainers ?? []) {
      const running = start(container);
      if (container.restartPolicy === 'Always') {
        sidecars.push(running);
        await awaitStartup(container, running, sandbox.address ?? '127.0.0.1');
      } else if ((await running.ended) !== 'ended with exit code 0')
        throw new Error(failure(`init container ${container.name}`, running));
    }
    for (const container of pod.spec?.containers ?? []) containers.push(start(container));
  } catch (error) {
    await stop();
    throw error;
  }

  let current = pod;
  return {
    containers: [...sidecars, ...containers],
    updateAnnotations(annotations) {
      current = { ...current, metadata: { ...current.metadata, annotations } };
      writeFiles(current, sandbox, surroundings, volumes);
    },
    updateVolumes: () => writeFiles(current, sandbox, surroundings, volumes),
    stop,
  };
}

function argvOf(container: V1Container, images: Surroundings['images']): string[] {
  const image = images[container.image ?? ''];
  if (image === undefined)
    throw new Error(
      `container ${container.name} wants the image ${container.image}; here are only ${Object.keys(images).join(', ')}`,
    );
  return [...limits(container), ...(container.command ?? image.entrypoint), ...(container.args ?? [])];
}

/** What takes from root what a container that is not privileged has not. */
function limits({ securityContext }: V1Container): string[] {
  const capabilities = securityContext?.capabilities;
  if (securityContext?.privileged || !capabilities?.drop?.includes('ALL')) return [];
  const added = (capabilities.add ?? []).map((name) => `,+${name.toLowerCase()}`).join('');
  return ['setpriv', '--bounding-set', `-all${added}`, '--'];
}

function environmentOf(container: V1Container, pod: V1Pod, sandbox: Sandbox): Record<string, string> {
  const entries = (container.env ?? []).map(({ name, value = '', valueFrom }) => {
    if (!valueFrom) return [name, value];
    if (!valueFrom.fieldRef)
      throw new Error(
        `container ${container.name}: the variable ${name} needs a cluster; a sandbox knows value and fieldRef`,
      );
    return [name, fieldValue(pod, sandbox, valueFrom.fieldRef.fieldPath)];
  });
  return Object.fromEntries(entries);
}
