import { type ConnectionOptions, connect } from 'node:tls';
import type { V1Service } from '@kubernetes/client-node';
import { type Certificate, readBundle } from '../../certificates/pem.ts';
import type { Api } from '../../kubernetes/client.ts';
import { type Finding, failed, ok, skipped, warn } from './finding.ts';
import type { Release } from './release.ts';

const day = 86_400_000;
/** Before the end of the last CA, when it should have been renewed long since. */
const notice = 30 * day;
/** Milliseconds that the webhook has to answer. */
const patience = 5_000;

/** Whether each `caBundle` can be read, and until when its CAs are valid. Pure. */
export function judgeBundles(bundles: ReadonlyMap<string, string>, now: number): Finding[] {
  const same = Map.groupBy(bundles, ([, bundle]) => bundle);
  return [...same].flatMap(([bundle, entries]) =>
    judgeBundle(`caBundle of ${entries.map(([name]) => name).join(', ')}`, bundle, now),
  );
}

function judgeBundle(title: string, bundle: string, now: number): Finding[] {
  if (bundle === '')
    return [
      failed(`${title}: is empty, so that the API server trusts no webhook; see whether its replicas run`),
    ];
  const certificates = readBundle(pemOf(bundle));
  if (certificates.length === 0) return [failed(`${title}: holds no certificate that can be read`)];
  const valid = certificates.filter(({ notBefore, notAfter }) => notBefore <= now && now < notAfter);
  const end = Math.max(...valid.map(({ notAfter }) => notAfter));
  return certificates.map((certificate, index) => {
    const which = certificates.length === 1 ? 'its CA' : `CA ${index + 1} of ${certificates.length}`;
    const told = `${title}: ${which} ${validity(certificate, now)}`;
    if (valid.length === 0) return failed(told);
    if (!valid.includes(certificate)) return warn(told);
    return end - now < notice ? warn(`${told}, and none that is valid longer is there`) : ok(told);
  });
}

function validity({ notBefore, notAfter }: Certificate, now: number): string {
  const date = (time: number) => new Date(time).toISOString().slice(0, 16).replace('T', ' ');
  if (notBefore > now) return `is not valid before ${date(notBefore)} UTC`;
  if (notAfter <= now) return `has expired: it was valid until ${date(notAfter)} UTC`;
  const days = Math.floor((notAfter - now) / day);
  return `is valid until ${date(notAfter)} UTC (${days} ${days === 1 ? 'day' : 'days'})`;
}

/**
 * Whether the webhook serves a certificate that the API server accepts, asked as the API server does: which knows the
 * Service's address without DNS.
 */
export async function checkServed(
  api: Pick<Api, 'call'>,
  { name, namespace, port, bundles }: Release,
  { reachable }: { reachable: boolean },
): Promise<Finding> {
  const host = `${name}.${namespace}.svc`;
  if (!reachable)
    return skipped(
      `certificate of ${host}: can be asked for only by a pod of the cluster, as "helm test" has one`,
    );
  const { spec } = await api.call<V1Service>({ path: `/api/v1/namespaces/${namespace}/services/${name}` });
  try {
    const end = await handshake({
      host: spec?.clusterIP ?? host,
      port,
      servername: host,
      ca: [...bundles.values()].map(pemOf).join('\n'),
    });
    return ok(`certificate of ${host}: fits the caBundle, and is valid until ${end}`);
  } catch (error) {
    return failed(`certificate of ${host}: ${(error as Error).message}`);
  }
}

/** Resolves to the end of the certificate's validity; rejects when its CA or its name does not fit. */
export function handshake(
  options: Pick<ConnectionOptions, 'host' | 'port' | 'servername' | 'ca'>,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...options, timeout: patience }, () => {
      resolve(socket.getPeerCertificate().valid_to);
      socket.end();
    });
    socket.once('timeout', () => socket.destroy(new Error(`no answer within ${patience / 1000} s`)));
    socket.once('error', reject);
  });
}

function pemOf(bundle: string): string {
  return Buffer.from(bundle, 'base64').toString();
}
