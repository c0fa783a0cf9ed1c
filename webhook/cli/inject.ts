import { identityOf } from '../admission/identity.ts';
import { patchOf } from '../admission/patch.ts';
import { type Reason, skipReasons } from '../admission/reasons.ts';
import { decideWorkload } from '../admission/workloads.ts';
import { defaultImage, type InjectionConfig, injectionConfig } from '../config.ts';
import type { NamespacePrograms } from '../programs/resolve.ts';
import { CommandError, exit, parseOptions, readImage, readPrivilege, runCommand } from './command.ts';
import { editFiles, report } from './edit.ts';
import type { Manifest } from './manifests.ts';
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
${Object.entries<Reason>(skipReasons)
  .filter(([, { cluster }]) => !cluster)
  .map(([reason, { meaning }]) => `  ${reason.padEnd(23)}${meaning}`)
  .join('\n')}

Exit codes: 0 done, 1 an object asks for a sidecar and cannot have it, 2 wrong usage or unreadable input.
`;

/** No API server is asked, and what a BPF resource names may be another when the pod is created. */
const programs: NamespacePrograms = {
  off: 'only the webhook of the cluster knows the BPF resources; create the pod through it',
};

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
    const failures = await editFiles(file, (manifest) => injectManifest(manifest, config));
    return failures.includes(true) ? exit.failed : exit.ok;
  });
}

/** Injects every pod of a manifest and reports it. Returns whether one asked for a sidecar in vain. */
function injectManifest(manifest: Manifest, config: InjectionConfig): boolean {
  let failed = false;
  for (const { title, object, path, podPath } of manifestObjects(manifest.value)) {
    if (!podPath) {
      report(title, 'skipped (not-a-pod)');
      continue;
    }
    const decision = decideWorkload(object, podPath, config, undefined, programs);
    // Whatever makes the pods of a template, they have this one identity: one monitor then selects them all.
    manifest.edit([...path, ...podPath], patchOf(decision, config.version, identityOf(title)));
    if (decision.inject) {
      report(title, ['injected', ...decision.notes].join('; '));
    } else {
      failed ||= skipReasons[decision.reason].warn;
      report(title, `skipped (${decision.reason}): ${decision.messages.join('; ')}`);
    }
  }
  return failed;
}
