import { writeFile } from 'node:fs/promises';
import { createLineWriter, createLog } from '../sidecar/contract/log.ts';
import { createAuthority } from './certificates/authority.ts';
import { systemClock } from './certificates/clock.ts';
import { keepCertificate } from './certificates/keeper.ts';
import { ProcessSource } from './certificates/process-source.ts';
import { CommandError, exit } from './cli/command.ts';
import { injectionConfig, type Privilege } from './config.ts';
import { createMetrics } from './metrics.ts';
import type { Program } from './programs/resource.ts';
import { createMutate } from './reviews/mutate.ts';
import { createTemplateCheck } from './reviews/templates.ts';
import { createServer } from './server.ts';
import { serveUntilSignal } from './serving.ts';

interface Options {
  image: string;
  privilege: Privilege;
  nodeWide: boolean;
  /** The BPF resources that pods may ask for, of whatever namespace. None is none for anybody. */
  programs: ReadonlyMap<string, Program>;
  names: readonly string[];
  caFile: string;
  /** All where there is none. */
  host: string | undefined;
  port: number;
}

/** The webhook without an API server, as the demo has it, and whoever runs it outside of the cluster. */
export async function serveAlone({
  image,
  privilege,
  nodeWide,
  programs,
  names,
  caFile,
  ...address
}: Options): Promise<number> {
  const log = createLog(createLineWriter(process.stdout));
  const metrics = createMetrics();
  const authority = await createAuthority();
  const config = {
    sidecar: injectionConfig(image, { privilege, nodeWide }),
    invalidAnnotations: 'admit' as const,
  };
  const known = programs.size === 0 ? undefined : { resources: programs };
  const admission = { config, metrics, log, programsOf: () => known };
  const answers = { '/mutate': createMutate(admission), '/templates': createTemplateCheck(admission) };
  const server = createServer({ answers, metrics, log });
  await writeFile(caFile, authority.certificate).catch((error: Error) => {
    throw new CommandError(`--ca-out ${caFile}: cannot write the file: ${error.message}`, exit.failed);
  });
  const source = new ProcessSource(authority, names, systemClock);
  return serveUntilSignal(server, address, log, () =>
    keepCertificate({ server, source, clock: systemClock, metrics, log }),
  );
}
