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

/** `other` is the half that this image does not have. */
async function bundle(half: 'sidecar' | 'webhook', other: 'sidecar' | 'webhook'): Promise<void> {
  const outdir = join(root, 'build', half);
  rmSync(outdir, { recursive: true, force: true });
  await build({
    entryPoints: { 'bpf-sidecar': join(root, 'scripts/bpf-sidecar.ts') },
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    external: [`../${other}/main.ts`, ...(half === 'sidecar' ? ['../webhook/cli/inject.ts'] : [])],
    loader: { '.node': 'copy' },
    assetNames: '[name]',
    plugins: [nativeAddons],
    // What CommonJS packages in the bundle expect to be there.
    banner: {
      js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url),__dirname=import.meta.dirname;",
    },
    logLevel: 'warning',
  });
}

await bundle('sidecar', 'webhook');
await bundle('webhook', 'sidecar');
cpSync(join(root, 'build/bpf', process.arch), join(root, 'build/sidecar/bpf'), { recursive: true });
