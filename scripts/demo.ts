/** One pod through the whole of bpf-sidecar on this machine, from its manifest to its metrics: `npm run demo`. */

import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants, hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { V1Pod } from '@kubernetes/client-node';
import jsonPatch from 'fast-json-patch';
import { parse } from 'yaml';
import { annotationPrefix } from '../sidecar/contract/annotations.ts';
import { containerName, environment, paths } from '../sidecar/contract/pod.ts';
import type { Report } from '../sidecar/report.ts';
import { print } from '../webhook/cli/top/terminal.ts';
import { beginLifetime, type Lifetime } from './demo/lifetime.ts';
import { oneEnds, showLive } from './demo/live.ts';
import { checkMachine } from './demo/machine.ts';
import { help, type Options, readOptions, UsageError } from './demo/options.ts';
import { type OwnFiles, type OwnProgram, placeOwnProgram } from './demo/own-program.ts';
import { describePatch } from './demo/patch.ts';
import { excerpt } from './demo/scrape.ts';
import { detail, step } from './demo/steps.ts';
import { askWebhook, executable, startWebhook } from './demo/webhook.ts';
import { cgroupRoot } from './node/cgroups.ts';
import { failure } from './node/child.ts';
import { type RunningPod, startPod } from './node/pod.ts';
import { createSandbox, type Sandbox } from './node/sandbox.ts';

const sidecarImage = 'bpf-sidecar:dev';
const images = {
  [sidecarImage]: { entrypoint: executable },
  'node:24-slim': { entrypoint: [process.execPath] },
};
const manifest = 'examples/pod.yaml';
const shownFamilies = [
  'bpf_syscalls_total',
  'bpf_network_io_bytes_total',
  'bpf_tcp_connections_opened_total',
];

process.exitCode = await main(process.argv.slice(2));

async function main(argv: string[]): Promise<number> {
  let options: Options | 'help';
  try {
    options = readOptions(argv);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`demo: ${error.message}\n`);
    return 2;
  }
  if (options === 'help') {
    process.stdout.write(help);
    return 0;
  }

  print('bpf-sidecar: the eBPF metrics of one pod, from its manifest to a scrape', 'heading');
  print();
  try {
    await step('Machine', checkMachine, (machine) => machine);
  } catch (error) {
    return report(error);
  }

  const lifetime = beginLifetime();
  const { signal } = lifetime;
  let code = 0;
  try {
    await demonstrate(options, lifetime);
  } catch (error) {
    // After a signal other errors only follow from it.
    const cause = signal.aborted ? signal.reason : error;
    code = typeof cause === 'string' ? signalCode(cause) : report(cause);
  }
  print();
  await step('Cleaning up', lifetime.end, () => 'the processes, cgroups and network of the demo are gone');
  return code;
}

function report(error: unknown): number {
  process.stderr.write(`\ndemo: ${(error as Error).message}\n`);
  return 1;
}

async function demonstrate(options: Options, { signal, defer }: Lifetime): Promise<void> {
  const own = options.own && placeOwn(options.own, defer);
  const webhook = await step(
    'Webhook',
    () => startWebhook(sidecarImage, own?.resource),
    ({ url }) => `listens on ${url}, with a certificate of its own CA`,
  );
  defer(() => webhook.terminate(5));
  signal.throwIfAborted();

  const submitted = readManifest(own);
  const answer = await step(
    'Admission',
    () => askWebhook(webhook, submitted, signal),
    ({ allowed, patch }) =>
      `${manifest}${own ? ` with ${annotationPrefix}programs: ${own.name}` : ''}, over TLS: ${allowed ? 'allowed' : 'refused'}, with a patch of ${patch.length} operations`,
  );
  for (const warning of answer.warnings) detail(`! ${warning}`);
  for (const line of describePatch(answer.patch)) detail(line);
  const pod = jsonPatch.applyPatch(submitted, answer.patch, true, false).newDocument;
  const sidecar = pod.spec?.initContainers?.find(({ name }) => name === containerName);
  if (!sidecar) throw new Error(`the webhook added no sidecar to ${manifest}: ${answer.warnings.join('; ')}`);

  const { name = '', namespace = 'default' } = pod.metadata ?? {};
  const sandbox = await step(
    'Sandbox',
    () => createSandbox({ namespace, pod: name, node: hostname(), network: true }),
    ({ cgroup, address }) => `address ${address}, cgroup ${cgroup.slice(cgroupRoot().length + 1)}`,
  );
  defer(() => sandbox.destroy());
  signal.throwIfAborted();

  const running = await step(
    'Pod',
    () => start(pod, sandbox, signal, own),
    ({ containers }) => `started ${containers.map((container) => container.name).join(', then ')}`,
  );
  defer(() => running.stop());
  const port = sidecar.env?.find((variable) => variable.name === environment.port)?.value;
  const url = `http://${sandbox.address}:${port}`;
  await step(
    'Probes',
    () => assertReady(url, running),
    () => 'attached to the pod before its first container began',
  );
  await step(
    'Page',
    () => askForPage(url),
    () => `${url}/ shows all of it in a browser on this machine`,
  );

  print();
  const last = await showLive(url + paths.metrics, running, options.seconds, signal);
  if (options.metricsOut !== undefined) writeFileSync(options.metricsOut, last.text);
  if (signal.reason !== 'SIGINT') signal.throwIfAborted();

  print();
  print(`What Prometheus scrapes, from ${url}${paths.metrics}`, 'heading');
  print();
  const families = own ? await familiesOf(own, url) : shownFamilies;
  for (const family of families) for (const line of excerpt(last.text, family)) print(`  ${line}`);
  print();
  if (options.metricsOut !== undefined) print(`  The last scrape is in ${options.metricsOut}.`);
  if (options.keep && !signal.aborted) {
    print('  Everything keeps running until Ctrl-C. From another terminal:');
    print(`    curl ${url}${paths.metrics}`);
    print(`    curl -H 'Accept: application/openmetrics-text' ${url}${paths.metrics}`);
    print(`    curl ${url}/`);
    print(`  In a browser: ${url}/`);
    await Promise.race([once(signal, 'abort'), oneEnds(running)]);
    if (signal.reason !== 'SIGINT') signal.throwIfAborted();
  } else {
    print(
      `  In a cluster: kubectl port-forward pod/${name} ${port}, then curl http://localhost:${port}${paths.metrics}`,
    );
    print('  To look around here: npm run demo -- --keep');
  }
}

/** Files that a cluster would have of a user's own program, until the demo ends. */
function placeOwn(files: OwnFiles, defer: Lifetime['defer']): OwnProgram {
  const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-demo-'));
  defer(() => rmSync(directory, { recursive: true }));
  return placeOwnProgram(files, directory);
}

function readManifest(own: OwnProgram | undefined): V1Pod {
  const pod: V1Pod = parse(readFileSync(join(import.meta.dirname, '..', manifest), 'utf8'));
  if (own) pod.metadata!.annotations![`${annotationPrefix}programs`] = own.name;
  return pod;
}

/** A signal must not wait for a sidecar that never starts: it ends the pod, and with it the start. */
async function start(
  pod: V1Pod,
  sandbox: Sandbox,
  signal: AbortSignal,
  own: OwnProgram | undefined,
): Promise<RunningPod> {
  const destroy = () => void sandbox.destroy();
  signal.addEventListener('abort', destroy);
  try {
    const hostPaths = { '/var/log/containers': sandbox.containerLogs };
    const configMaps = own && { [own.name]: own.configMap };
    return await startPod(pod, sandbox, { images, hostPaths, ...(configMaps && { configMaps }) });
  } finally {
    signal.removeEventListener('abort', destroy);
  }
}

/** The sidecar lets a pod start although a probe of it failed; here that is an error. */
async function assertReady(url: string, pod: RunningPod): Promise<void> {
  const response = await fetch(url + paths.ready);
  if (response.ok) return;
  const words = (await response.text()).trim();
  throw new Error(
    `the sidecar runs and is not ready: ${words}\n${failure(containerName, pod.containers[0]!)}`,
  );
}

/** The names of the metrics that a user's own program has become. */
async function familiesOf({ name }: OwnProgram, url: string): Promise<readonly string[]> {
  const response = await fetch(url, { headers: { accept: 'application/json' } });
  const { probes } = (await response.json()) as Report;
  return probes.find((probe) => probe.name === name)?.metrics ?? [];
}

async function askForPage(url: string): Promise<void> {
  const response = await fetch(url, { headers: { accept: 'text/html' } });
  if (!response.ok) throw new Error(`the status page is not there: ${(await response.text()).trim()}`);
}

/** By custom 128 and the signal's number. */
function signalCode(signal: string): number {
  return 128 + constants.signals[signal as NodeJS.Signals];
}
