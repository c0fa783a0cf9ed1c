import { parseArgs } from 'node:util';
import { readingOption, trialOption } from './apart.ts';
import { readAnnotations } from './contract/annotations.ts';
import { neededCapabilities } from './contract/capabilities.ts';
import { environment, mountPaths } from './contract/pod.ts';
import { builtinProbes } from './contract/probes.ts';
import { subdirectories } from './pod/cgroups.ts';
import { type Identity, readIdentity } from './pod/identity.ts';
import { limitCapabilities } from './privilege.ts';

const help = `Usage: bpf-sidecar run

Runs in a pod as the webhook sets it up: attaches the probes that the pod's annotations ask for to the pod's
cgroup and serves what they count.

  --help         show this
  --try-object   only load the eBPF object on stdin, and end: the sidecar has one of itself do that first, since a
                 malformed object may crash libbpf
  --read-spec=NAME
                 only read the metric spec on stdin, write it as JSON, and end: likewise, since one may exhaust the memory

Environment (the webhook sets it):
  POD_NAMESPACE, POD_NAME, POD_UID, NODE_NAME   who the pod is
  BPF_SIDECAR_PORT                              port to serve on

It serves
  /metrics   Prometheus text or OpenMetrics
  /healthz   200 while the process works
  /readyz    200 when every probe is attached; with ?fail-open=true also when one has failed for good
  /debug/pprof/profile?seconds=10
             with the probe profile: what was on the CPUs in the next 1 to 60 seconds, for go tool pprof
  /          a page for people: what is attached, and why something is not; in a browser with plots

Exit codes: 0 ended by SIGTERM or SIGINT, 1 could not start, 2 wrong usage or environment.
`;

/**
 * The command `bpf-sidecar run`: serves until SIGTERM or SIGINT. Resolves to the exit code. It loads what it does only when
 * it comes to it, for it may begin twice (limitCapabilities).
 */
export async function run(argv: string[]): Promise<number> {
  // A small Buffer that lives long keeps the whole block alive of which it is a part: 64 KiB by default.
  Buffer.poolSize = 4096;
  let identity: Identity;
  let port: number;
  try {
    const { values } = parseArgs({
      args: argv,
      options: {
        help: { type: 'boolean' },
        [trialOption]: { type: 'boolean' },
        [readingOption]: { type: 'string' },
      },
    });
    if (values.help) {
      process.stdout.write(help);
      return 0;
    }
    if (values[trialOption]) return (await import('./trial.ts')).runTrial();
    const source = values[readingOption];
    if (source !== undefined) return await (await import('./read-spec.ts')).runReading(source);
    identity = readIdentity(process.env);
    port = readPort(process.env[environment.port]);
  } catch (error) {
    process.stderr.write(`bpf-sidecar run: ${(error as Error).message}\n`);
    return 2;
  }
  const programs = subdirectories(mountPaths.programs);
  limitCapabilities([...neededCapabilities(builtinProbes, programs, port), 'SYS_RESOURCE']);
  const { serve } = await import('./serve.ts');
  return serve(identity, port, programs);
}

/** The port of the injected container; its default is that of the annotation. */
function readPort(value: string | undefined): number {
  if (value === undefined) return readAnnotations({}).settings.metricsPort;
  const port = /^[0-9]{1,5}$/.test(value) ? Number(value) : Number.NaN;
  if (port <= 65535) return port;
  throw new Error(`environment variable ${environment.port}=${value} must be a port number from 0 to 65535`);
}
