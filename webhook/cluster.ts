import { readFileSync } from 'node:fs';
import type { KubeConfig } from '@kubernetes/client-node';
import { createLineWriter, createLog } from '../sidecar/contract/log.ts';
import { keepConfiguredCertificate } from './certificates/configured.ts';
import type { Keeper } from './certificates/keeper.ts';
import { CommandError, exit } from './cli/command.ts';
import { parseConfig, type WebhookConfig } from './config-file.ts';
import { createApi, openCluster } from './kubernetes/client.ts';
import { createReport } from './kubernetes/events.ts';
import { watchNamespaces } from './kubernetes/namespaces.ts';
import { createMetrics } from './metrics.ts';
import { keepMonitors } from './monitors/controller.ts';
import { shareInjectedPods } from './pods/injected-pods.ts';
import { watchPrograms } from './programs/programs.ts';
import { createMutate } from './reviews/mutate.ts';
import { createProgramCheck } from './reviews/programs.ts';
import { createTemplateCheck } from './reviews/templates.ts';
import { createServer } from './server.ts';
import { serveUntilSignal } from './serving.ts';

interface Options {
  /** The configuration file. */
  config: string;
  kubeconfig: string | undefined;
  /** All where there is none. */
  host: string | undefined;
  port: number;
}

/** The webhook beside the API server of a cluster: one of several replicas, of which none leads. */
export async function serveCluster({ config: file, kubeconfig, ...address }: Options): Promise<number> {
  const config = readConfig(file);
  const api = createApi(open(kubeconfig));
  const log = createLog(createLineWriter(process.stdout));
  const metrics = createMetrics();
  const report = createReport({ api, counter: metrics.events, log });
  const namespaces = watchNamespaces(api, log);
  const ending = new AbortController();
  const allowed = config.programs.allowedNamespaces;
  const { signal } = ending;
  const injectedPods = shareInjectedPods(api, log, signal);
  const programs = watchPrograms({ api, log, allowed, report, injectedPods, signal });
  const admission = {
    config,
    labelsOf: namespaces.labelsOf,
    programsOf: programs.programsOf,
    metrics,
    log,
    report,
  };
  let keeper: Keeper | undefined;
  const problem = () =>
    (keeper ? keeper.problem() : 'starting') ??
    (namespaces.watched.isSynced() ? undefined : 'the namespaces are not known yet') ??
    (programs.isPending() ? 'the BPF resources are not known yet' : undefined);
  const answers = {
    '/mutate': createMutate(admission),
    '/templates': createTemplateCheck(admission),
    '/programs': createProgramCheck(allowed, log),
  };
  const server = createServer({ answers, metrics, log, problem });
  return serveUntilSignal(server, address, log, () => {
    const kept = keepConfiguredCertificate({ config: config.certificate, api, server, metrics, log });
    keeper = kept;
    keepMonitors({ api, config: config.monitors, log, metrics, injectedPods, signal });
    return {
      ready: Promise.all([kept.ready, namespaces.watched.synced]),
      stop() {
        kept.stop();
        namespaces.watched.stop();
        ending.abort();
      },
    };
  });
}

function readConfig(file: string): WebhookConfig {
  let yaml: string;
  try {
    yaml = readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandError(`--config ${file}: cannot be read: ${(error as Error).message}`, exit.usage);
  }
  try {
    return parseConfig(yaml, file);
  } catch (error) {
    throw new CommandError((error as Error).message, exit.usage);
  }
}

function open(kubeconfig: string | undefined): KubeConfig {
  try {
    return openCluster(kubeconfig);
  } catch (error) {
    throw new CommandError((error as Error).message, exit.usage);
  }
}
