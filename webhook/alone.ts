import { writeFile } from 'node:fs/promises';
import { createLog } from '../sidecar/contract/log.ts';
import { createAuthority } from './certificates/authority.ts';
import { renewCertificate } from './certificates/renewal.ts';
import { CommandError, exit } from './cli/command.ts';
import { injectionConfig, type Privilege } from './config.ts';
import { createMetrics } from './metrics.ts';
import { createMutate } from './mutate.ts';
import { createServer } from './server.ts';
import { serveUntilSignal } from './serving.ts';
import { createTemplateCheck } from './templates.ts';

interface Options {
  image: string;
  privilege: Privilege;
  nodeWide: boolean;
  names: readonly string[];
  caFile: string;
  host: string;
  port: number;
}

/** The webhook without an API server, as the demo has it, and whoever runs it outside of the cluster. */
export async function serveAlone({
  image,
  privilege,
  nodeWide,
  names,
  caFile,
  ...address
}: Options): Promise<number> {
  const log = createLog((line) => process.stdout.write(line));
  const metrics = createMetrics();
  const authority = await createAuthority();
  const issue = () => authority.issue(names);
  const config = {
    sidecar: injectionConfig(image, { privilege, nodeWide }),
    invalidAnnotations: 'admit' as const,
  };
  const admission = { config, metrics, log };
  const server = createServer(
    await issue(),
    { '/mutate': createMutate(admission), '/templates': createTemplateCheck(admission) },
    metrics,
    log,
  );
  await writeFile(caFile, authority.certificate).catch((error: Error) => {
    throw new CommandError(`--ca-out ${caFile}: cannot write the file: ${error.message}`, exit.failed);
  });
  return serveUntilSignal(server, address, log, () => {
    const stop = renewCertificate(server, issue, () => log('info', 'certificate renewed'));
    return { ready: Promise.resolve(), stop };
  });
}
