import { readFileSync } from 'node:fs';
import { text as readAll } from 'node:stream/consumers';
import { decide } from '../admission/decide.ts';
import { buildPatch } from '../admission/patch.ts';
import { skipReasons } from '../admission/reasons.ts';
import { defaultImage, type InjectionConfig, injectionConfig } from '../config.ts';
import { CommandError, exit, parseOptions, readImage, readPrivilege, runCommand } from './command.ts';
import { type Manifest, parseManifests } from './manifests.ts';
import { manifestObjects } from './objects.ts';

const help = `Usage: bpf-sidecar inject -f FILE [-f FILE ...] [options]

Prints manifests (YAML or JSON) with the sidecar added where the annotation bpf.sh/inject: "true" asks for it:
to Pods, and to the pod templates of Deployments, StatefulSets, DaemonSets, ReplicaSets, Jobs and CronJobs.
Everything else passes through unchanged. What became of each object is reported on stderr.

  -f, --file FILE    manifest to read; - is stdin (repeatable)
  --image IMAGE      image of the sidecar (default ${defaultImage})
  --privilege LEVEL  of the sidecar: privileged (the default); capabilities, only those that its probes need; or
                     attach-only, the same, and given up once the probes are attached, which cannot change then
  --allow-node-wide  let a user's own programs run for the whole node when their metric spec asks for it
  --help             show this

Reasons for which an object is skipped:
${Object.entries(skipReasons)
  .filter(([reason]) => !reason.startsWith('unsupported-'))
  .map(([reason, { meaning }]) => `  ${reason.padEnd(21)}${meaning}`)
  .join('\n')}

Exit codes: 0 done, 1 an object asks for a sidecar and cannot have it, 2 wrong usage or unreadable input.
`;

/** `bpf-sidecar inject`. Resolves to the exit code. Prints nothing to stdout unless all input can be read. */
export function inject(argv: string[]): Promise<number> {
  return runCommand('inject', async () => {
    const {
      file,
      image,
      privilege,
      'allow-node-wide': nodeWide,
      help: wanted,
    } = parseOptions(argv, {
      file: { type: 'string', short: 'f', multiple: true },
      image: { type: 'string', default: defaultImage },
      privilege: { type: 'string', default: 'privileged' },
      'allow-node-wide': { type: 'boolean', default: false },
      help: { type: 'boolean' },
    });
    if (wanted) {
      process.stdout.write(help);
      return exit.ok;
    }
    if (!file) throw new CommandError('-f is missing; see --help', exit.usage);
    const config = injectionConfig(readImage(image), { privilege: readPrivilege(privilege), nodeWide });
    const manifests: Manifest[] = [];
    for (const name of file) manifests.push(...(await readManifests(name)));

    const failures = manifests.map((manifest) => injectManifest(manifest, config));
    process.stdout.write(join(manifests));
    return failures.includes(true) ? exit.failed : exit.ok;
  });
}

async function readManifests(file: string): Promise<Manifest[]> {
  const name = file === '-' ? 'stdin' : file;
  let source: string;
  try {
    source = file === '-' ? await readAll(process.stdin) : readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandError(`${name}: cannot be read: ${(error as Error).message}`, exit.usage);
  }
  try {
    return parseManifests(source);
  } catch (error) {
    const [what] = (error as Error).message.split(/:?\n/, 1);
    throw new CommandError(`${name}: is neither JSON nor YAML: ${what}`, exit.usage);
  }
}

/** Injects every pod of a manifest and reports it. Returns whether one asked for a sidecar in vain. */
function injectManifest(manifest: Manifest, config: InjectionConfig): boolean {
  let failed = false;
  for (const { title, spot } of manifestObjects(manifest.value)) {
    const decision = spot && decide(spot.pod, config);
    if (spot && decision?.inject) {
      manifest.edit(spot.path, buildPatch(decision.pod, decision.sidecar, config.version));
      report(title, 'injected');
    } else if (decision && !decision.inject) {
      failed ||= skipReasons[decision.reason].warn;
      report(title, `skipped (${decision.reason}): ${decision.messages.join('; ')}`);
    } else {
      report(title, 'skipped (not-a-pod)');
    }
  }
  return failed;
}

function report(title: string, outcome: string): void {
  process.stderr.write(`${title}: ${outcome}\n`);
}

/** Every document but the first begins with its own separator, unless it comes from another file. */
function join(manifests: Manifest[]): string {
  return manifests
    .map((manifest) => manifest.text())
    .reduce((all, text) => {
      const end = all === '' || all.endsWith('\n') ? '' : '\n';
      const separator = all === '' || text.startsWith('---') ? '' : '---\n';
      return all + end + separator + text;
    }, '');
}
