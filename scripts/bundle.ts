/**
 * Bundles both halves for their images into build/sidecar and build/webhook: one file of JavaScript each, for
 * the sidecar with its two native addons, the compiled objects and their metric specs.
 */
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build, type Plugin } from 'esbuild';

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

/** Parts of prom-client that nobody here uses: they load HTTP clients and worker processes, megabytes of memory. */
const leaveOut: Plugin = {
  name: 'leave-out',
  setup({ onLoad }) {
    onLoad({ filter: /prom-client\/lib\/(cluster|pushgateway|defaultMetrics|summary)\.js$/ }, () => ({
      contents: 'module.exports = {}',
    }));
  },
};

/**
 * `other` is the half that this image does not have. The format is CommonJS because an ECMAScript import of
 * node:http evaluates all its exports, WebSocket among them, which takes 6 MiB of private memory.
 */
async function bundle(half: 'sidecar' | 'webhook', other: readonly string[]): Promise<void> {
  const outdir = join(root, 'build', half);
  rmSync(outdir, { recursive: true, force: true });
  await build({
    entryPoints: { 'bpf-sidecar': join(root, 'scripts/bpf-sidecar.ts') },
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
    plugins: [nativeAddons, leaveOut],
    logLevel: 'warning',
  });
}

await bundle('sidecar', ['../webhook/main.ts', '../webhook/cli/inject.ts']);
await bundle('webhook', ['../sidecar/main.ts']);
cpSync(join(root, 'build/bpf', process.arch), join(root, 'build/sidecar/bpf'), { recursive: true });
