import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nginxConfiguration } from '../../scripts/node/nginx.ts';
import type { Container } from '../../scripts/node/sandbox.ts';
import { eventually } from './eventually.ts';

/** An nginx in a container. */
export interface Nginx {
  /** How many requests its access log has, by `METHOD STATUS`. */
  log(): Record<string, number>;
  /** Ends it, so that its log is complete. */
  stop(): Promise<void>;
}

/**
 * Starts nginx with one worker on port 8080 in a container; its files go into `directory`. It has files, a response in
 * chunks (`/zipped`) and, where there is an `upstream`, what that answers (`/proxied`).
 */
export async function startNginx(
  container: Container,
  directory: string,
  { port = 8080, upstream }: { port?: number; upstream?: string } = {},
): Promise<Nginx> {
  const files = join(directory, 'files');
  const log = join(directory, 'access.log');
  mkdirSync(files, { recursive: true });
  const text = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nGET / HTTP/1.1\r\n\r\n';
  writeFileSync(join(files, 'file'), text.repeat(5000));
  writeFileSync(join(files, 'cached'), text);
  writeFileSync(join(files, 'zipped'), text.repeat(5000));
  writeFileSync(
    join(directory, 'nginx.conf'),
    nginxConfiguration(
      directory,
      `
  log_format short '$request_method $status';
  access_log ${log} short;
  client_max_body_size 0;
  root ${files};
  if_modified_since before;
  gzip_http_version 1.0;
  gzip_types application/octet-stream;
  ${upstream === undefined ? '' : `upstream backend { server ${upstream}; keepalive 8; }`}
  server {
    listen ${port};
    listen ${port + 1} deferred;
    location /ok { return 200 "HTTP/1.1 200 OK\\r\\n\\r\\n"; }
    location /chunks { return 201; }
    location /empty { return 204; }
    location /zipped { gzip on; }
    location /closed { return 444; }
    ${upstream === undefined ? '' : `location /proxied { proxy_pass http://backend/file; proxy_http_version 1.1; proxy_set_header Connection ""; }`}
  }
`,
    ),
  );
  const server = container.spawn(['nginx', '-c', join(directory, 'nginx.conf')], { stdio: 'ignore' });
  const ended = once(server, 'exit');
  await eventually(() => {
    if (!existsSync(join(directory, 'pid')) || readFileSync(join(directory, 'pid'), 'utf8') === '')
      throw new Error(`nginx does not start: ${readFileSync(join(directory, 'error.log'), 'utf8')}`);
  });
  return {
    log() {
      const counts: Record<string, number> = {};
      for (const line of readFileSync(log, 'utf8').split('\n'))
        if (line !== '') counts[line] = (counts[line] ?? 0) + 1;
      return counts;
    },
    async stop() {
      server.kill('SIGQUIT');
      await ended;
    },
  };
}
