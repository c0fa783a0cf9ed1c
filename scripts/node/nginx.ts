/** The configuration of an nginx with one worker whose files are in a directory; `http` is what it serves. */
export function nginxConfiguration(directory: string, http: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `
daemon off;
worker_processes 1;
user root;
pid ${directory}/pid;
error_log ${directory}/error.log;
events { worker_connections 512; }
http {
  ${temporary.map((name) => `${name}_temp_path ${directory}/${name};`).join('\n  ')}
  keepalive_requests 1000000000;
  sendfile on;
  ${http}
}
`;
}
