import { setTimeout as delay } from 'node:timers/promises';
import type { V1Container, V1Probe } from '@kubernetes/client-node';
import { type Child, failure } from './child.ts';

/**
 * Waits until a container's startup probe succeeds, by the probe's own period and threshold; a container
 * without one has started at once. Throws when the threshold is reached or the process ends.
 */
export async function awaitStartup(container: V1Container, child: Child, address: string): Promise<void> {
  const probe = container.startupProbe;
  if (!probe) return;
  const url = probeUrl(container, probe, address);
  const { initialDelaySeconds = 0, periodSeconds = 10, failureThreshold = 3, timeoutSeconds = 1 } = probe;
  let reason = '';
  for (let attempt = 0; attempt < failureThreshold; attempt++) {
    await pause(attempt === 0 ? initialDelaySeconds : periodSeconds, child);
    if (child.outcome() !== undefined) throw new Error(failure(`container ${container.name}`, child));
    reason = await ask(url, timeoutSeconds);
    if (reason === '') return;
  }
  throw new Error(
    `container ${container.name} did not start: its startup probe ${url} failed ${failureThreshold} times, at last with ${reason}\n${failure('it', child)}`,
  );
}

/** Sleeps, but no longer than the process runs. */
async function pause(seconds: number, child: Child): Promise<void> {
  const controller = new AbortController();
  const asleep = delay(seconds * 1000, undefined, { signal: controller.signal }).catch(() => {});
  await Promise.race([asleep, child.ended]);
  controller.abort();
}

/** Why the probe failed; empty when it succeeded. */
async function ask(url: string, timeoutSeconds: number): Promise<string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutSeconds * 1000) });
    const text = (await response.text()).trim().slice(0, 500);
    return response.status < 400 ? '' : `HTTP status ${response.status}: ${text}`;
  } catch (error) {
    const { message, cause } = error as Error;
    return cause instanceof Error ? cause.message : message;
  }
}

function probeUrl(container: V1Container, probe: V1Probe, address: string): string {
  if (!probe.httpGet)
    throw new Error(`container ${container.name}: a sandbox knows only httpGet as a startup probe`);
  const { path = '/', port } = probe.httpGet;
  const number =
    typeof port === 'number' ? port : container.ports?.find(({ name }) => name === port)?.containerPort;
  if (number === undefined)
    throw new Error(
      `container ${container.name}: its startup probe asks the port ${port}, which it does not declare`,
    );
  return `http://${address}:${number}${path}`;
}
