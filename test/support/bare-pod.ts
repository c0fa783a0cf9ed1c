import type { TestContext } from 'node:test';
import { placeOf } from '../../scripts/node/place.ts';
import {
  type Container,
  createSandbox,
  type Sandbox,
  type SandboxOptions,
} from '../../scripts/node/sandbox.ts';
import type { PodCgroup } from '../../sidecar/pod/cgroups.ts';

/** A pod in which no sidecar runs, for probes in our own process. */
export interface BarePod {
  sandbox: Sandbox;
  /** As its sidecar would find it. */
  pod: PodCgroup;
  /** The container that would be the sidecar's. */
  sidecar: Container;
  /** One to work in. */
  web: Container;
  destroy(): Promise<void>;
}

/** With a container of another pod, which nobody observes. */
export interface BarePods extends BarePod {
  outsider: Container;
}

export async function makeBarePod(options?: SandboxOptions): Promise<BarePod> {
  const sandbox = await createSandbox(options);
  const sidecar = sandbox.addContainer('bpf-sidecar');
  return {
    sandbox,
    pod: placeOf(sandbox, sidecar),
    sidecar,
    web: sandbox.addContainer('web'),
    destroy: () => sandbox.destroy(),
  };
}

export async function makeBarePods(options?: SandboxOptions): Promise<BarePods> {
  const [bare, other] = [await makeBarePod(options), await createSandbox(options)];
  return {
    ...bare,
    outsider: other.addContainer('web'),
    async destroy() {
      await bare.destroy();
      await other.destroy();
    },
  };
}

/** makeBarePod, for one test. */
export async function barePodFor(t: TestContext, options?: SandboxOptions): Promise<BarePod> {
  const bare = await makeBarePod(options);
  t.after(() => bare.destroy());
  return bare;
}

/** makeBarePods, for one test. */
export async function barePodsFor(t: TestContext, options?: SandboxOptions): Promise<BarePods> {
  const bare = await makeBarePods(options);
  t.after(() => bare.destroy());
  return bare;
}
