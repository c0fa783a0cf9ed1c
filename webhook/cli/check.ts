import type { KubeConfig } from '@kubernetes/client-node';
import { ApiError, createApi, isOwnCluster } from '../kubernetes/client.ts';
import { checkServed, judgeBundles } from './check/certificates.ts';
import { readConfiguration } from './check/configuration.ts';
import { checkCrd, wantedCrds } from './check/crds.ts';
import { type Finding, failed, line, summary } from './check/finding.ts';
import { checkPods } from './check/pods.ts';
import { type Choice, findRelease, type Release } from './check/release.ts';
import { checkService } from './check/service.ts';
import { kubeconfigHelp, openCommandCluster, unanswered } from './cluster.ts';
import { exit, parseOptions, runCommand } from './command.ts';

const help = `Usage: bpf-sidecar check [options]

Tells whether the webhook of a cluster works, and which pods ask for the sidecar and do not have it, and why.

${kubeconfigHelp}
  --release NAME     of the Helm release, where the cluster has several
  --namespace NAME   of the release, likewise
  --help             show this

Each line begins with ok, warn, FAILED, or skip for what cannot be looked into from here. Of pods the first 20 of a sort
are listed and the others counted.

Exit codes: 0 nothing FAILED, 1 something FAILED or the API server does not answer, 2 wrong usage or no kubeconfig.
`;

/** `bpf-sidecar check`. Resolves to the exit code. */
export function check(argv: string[]): Promise<number> {
  return runCommand('check', async () => {
    const {
      kubeconfig,
      release,
      namespace,
      help: wanted,
    } = parseOptions(argv, {
      kubeconfig: { type: 'string' },
      release: { type: 'string' },
      namespace: { type: 'string' },
      help: { type: 'boolean' },
    });
    if (wanted) {
      process.stdout.write(help);
      return exit.ok;
    }
    const config = openCommandCluster(kubeconfig);
    const findings: Finding[] = [];
    try {
      for await (const finding of look(config, { release, namespace })) {
        findings.push(finding);
        process.stdout.write(`${line(finding)}\n`);
      }
    } catch (error) {
      throw unanswered(config, error);
    }
    process.stdout.write(`${summary(findings)}\n`);
    return findings.some(({ level }) => level === 'FAILED') ? exit.failed : exit.ok;
  });
}

/** Looks at one thing after the other; what the API server refuses to show has FAILED. */
async function* look(config: KubeConfig, choice: Choice): AsyncGenerator<Finding> {
  const api = createApi(config);
  let release: Release | undefined;
  yield* refusable('the webhook configurations', async () => {
    const found = await findRelease(api, choice);
    release = found.release;
    return found.findings;
  });
  if (!release) return;

  const { bundles, namespace, name } = release;
  yield* judgeBundles(bundles, Date.now());
  yield* refusable(`Service ${namespace}/${name}`, async () => [await checkService(api, release!)]);
  yield* refusable(`the address of Service ${namespace}/${name}`, async () => [
    await checkServed(api, release!, { reachable: isOwnCluster(config) }),
  ]);
  const { config: webhook, finding } = await readConfiguration(api, release);
  yield finding;
  for (const wanted of webhook ? wantedCrds(webhook) : [])
    yield* refusable(`CustomResourceDefinition ${wanted.name}`, async () => [await checkCrd(api, wanted)]);
  yield* refusable('the pods', () => checkPods(api, release!, webhook));
}

async function* refusable(what: string, action: () => Promise<Finding[]>): AsyncGenerator<Finding> {
  try {
    yield* await action();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    yield failed(`${what} cannot be read: ${error.message}`);
  }
}
