import type { CertificateConfig } from '../config-file.ts';
import type { Api } from '../kubernetes/client.ts';
import { watchObjects } from '../kubernetes/watch.ts';
import { AuthoritySource } from './authority-source.ts';
import { systemClock } from './clock.ts';
import { DirectorySource } from './directory-source.ts';
import { type Keeper, type KeeperOptions, keepCertificate } from './keeper.ts';
import { schedule as defaultSchedule, type Schedule } from './schedule.ts';
import { createBundleStore, createSecretStore } from './stores.ts';

export interface ConfiguredOptions extends Pick<KeeperOptions, 'server' | 'metrics' | 'log'> {
  config: CertificateConfig;
  api: Api;
  schedule?: Schedule;
}

/** Keeps the server's certificate as the configuration file says. */
export function keepConfiguredCertificate({
  config,
  api,
  schedule = defaultSchedule,
  ...rest
}: ConfiguredOptions): Keeper {
  const options = { ...rest, clock: systemClock };
  if ('directory' in config)
    return keepCertificate({ ...options, source: new DirectorySource(config.directory, systemClock) });

  const { authoritySecret, dnsNames, webhookConfigurations } = config;
  const secret = createSecretStore(api, authoritySecret);
  const bundles = (['mutating', 'validating'] as const).flatMap((kind) =>
    webhookConfigurations[kind].map((name) => createBundleStore(api, kind, name)),
  );
  const source = new AuthoritySource({ secret, bundles, names: dnsNames, schedule, clock: systemClock });
  const keeper = keepCertificate({ ...options, source });
  // The loop would find each change too, but only after a while in which every call fails.
  const watches = [secret, ...bundles].map(({ collection, object }) =>
    watchObjects(api, options.log, {
      path: collection,
      fieldSelector: `metadata.name=${object}`,
      metadataOnly: true,
      keep: ({ metadata }) => metadata.resourceVersion,
      onChange: keeper.wake,
    }),
  );
  return {
    ...keeper,
    stop() {
      keeper.stop();
      for (const watch of watches) watch.stop();
    },
  };
}
