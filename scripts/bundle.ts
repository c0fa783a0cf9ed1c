/**
 * Bundles both halves for their images into build/sidecar and build/webhook: one file of JavaScript each, for
 * the sidecar with its two native addons, the compiled objects and their metric specs, and the status page. Beside each
 * a list of the npm packages of which there is something in it, for the bill of materials.
 */
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { build, type Metafile, type Plugin } from 'esbuild';
import { buildPage } from './page/build.ts';

const root = join(import.meta.dirname, '..');

/** The addons find their binary by searching folders at run time; in the bundle it is the copied file. */
const nativeAddons: Plugin = {
  name: 'native-addons',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node-gyp-build$/ }, ({ importer }) => ({
      path: join(dirname(importer), '../build/Release'),
      namespace: 'native-addon',
    }));
    onLoad({ filter: /./, namespace: 'native-addon' }, ({ path }) => {
      const file = readdirSync(path).find((name) => name.endsWith('.node'));
      return { contents: `module.exports = () => require(${JSON.stringify(`./${file}`)})`, resolveDir: path };
    });
  },
};

/**
 * Parts of packages that nobody here uses and that take megabytes of memory: HTTP clients, worker processes, what prints
 * debug messages, assertions with their differences in colour.
 */
const leaveOut: Plugin = {
  name: 'leave-out',
  setup({ onLoad, onResolve }) {
    onLoad({ filter: /prom-client\/lib\/(cluster|pushgateway|defaultMetrics|summary)\.js$/ }, () => ({
      contents: 'module.exports = {}',
    }));
    onResolve({ filter: /^(debug|assert)$/ }, ({ path }) => ({ path, namespace: 'left-out' }));
    onLoad({ filter: /^debug$/, namespace: 'left-out' }, () => ({
      contents: 'module.exports = () => () => {}',
    }));
    onLoad({ filter: /^assert$/, namespace: 'left-out' }, () => ({
      contents: `
        module.exports = (condition, message) => { if (!condition) throw new Error(message); };
        module.exports.equal = (a, b, message) => module.exports(a == b, message);
        module.exports.strictEqual = (a, b, message) => module.exports(Object.is(a, b), message);`,
    }));
  },
};

/**
 * Of the client of Kubernetes the webhook takes what finds an API server and what is to be sent to it. The classes for all
 * of its API would come with that, and a second HTTP client: 50 MiB.
 */
const onlyKubeConfig: Plugin = {
  name: 'only-kube-config',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^@kubernetes\/client-node$/ }, () => ({
      path: join(root, 'node_modules/@kubernetes/client-node/dist/config.js'),
    }));
    onResolve({ filter: /^(undici|\.\/gen\/index\.js)$/ }, ({ path, importer }) =>
      importer.includes('/@kubernetes/client-node/') ? { path, namespace: 'not-called' } : undefined,
    );
    onLoad({ filter: /./, namespace: 'not-called' }, () => ({
      contents: 'export const Agent = 0, ProxyAgent = 0, createConfiguration = 0, ServerConfiguration = 0;',
    }));
  },
};

/** Packages that few pods need: a file each, whose text is in memory only where they are loaded. */
const seldom = ['re2js', 'yaml'];
const inOwnFiles: Plugin = {
  name: 'in-own-files',
  setup({ onResolve }) {
    onResolve({ filter: new RegExp(`^(${seldom.join('|')})$`) }, ({ path, kind }) =>
      kind === 'entry-point' ? undefined : { path: `./${path}.cjs`, external: true },
    );
  },
};

/**
 * `other` is the half that this image does not have. The format is CommonJS because an ECMAScript import of
 * node:http evaluates all its exports, WebSocket among them, which takes 6 MiB of private memory.
 */
async function bundle(
  half: 'sidecar' | 'webhook',
  other: readonly string[],
  inFiles: readonly string[] = [],
): Promise<Metafile> {
  const outdir = join(root, 'build', half);
  rmSync(outdir, { recursive: true, force: true });
  const { metafile } = await build({
    entryPoints: {
      'bpf-sidecar': join(root, 'scripts/bpf-sidecar.ts'),
      ...Object.fromEntries(inFiles.map((name) => [name, name])),
    },
    outdir,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    external: [...other],
    define: { 'import.meta.dirname': '__dirname', 'import.meta.filename': '__filename' },
    loader: { '.node': 'copy' },
    assetNames: '[name]',
    plugins: [nativeAddons, leaveOut, onlyKubeConfig, ...(inFiles.length > 0 ? [inOwnFiles] : [])],
    logLevel: 'warning',
    metafile: true,
    absWorkingDir: root,
  });
  return metafile;
}

function listPackages(half: 'sidecar' | 'webhook', metafiles: readonly Metafile[]): void {
  const path = join(root, `build/${half}.packages.json`);
  writeFileSync(path, `${JSON.stringify(packagesOf(metafiles), null, 2)}\n`);
}

/** The npm packages of whose files something came into the outputs, by name. */
function packagesOf(metafiles: readonly Metafile[]): { name: string; version: string }[] {
  const outputs = metafiles.flatMap((metafile) => Object.values(metafile.outputs));
  const inputs = outputs.flatMap((output) =>
    Object.entries(output.inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : [])),
  );
  const folders = new Set(
    inputs.flatMap((path) => {
      const folder = /^(?:[^:]*:)?(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
      return folder === undefined ? [] : resolve(root, folder);
    }),
  );
  return [...folders]
    .map((folder) => {
      const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      return { name, version };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

const sidecar = await bundle(
  'sidecar',
  ['main', 'cli/inject', 'cli/uninject', 'cli/check', 'cli/top'].map((name) => `../webhook/${name}.ts`),
  seldom,
);
const webhook = await bundle('webhook', ['../sidecar/main.ts']);
cpSync(join(root, 'build/bpf', process.arch), join(root, 'build/sidecar/bpf'), { recursive: true });
const page = await buildPage(join(root, 'build/sidecar/page'));
listPackages('sidecar', [sidecar, page]);
listPackages('webhook', [webhook]);
