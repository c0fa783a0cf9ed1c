import { type Pod, podProblem } from '../admission/pod.ts';
import { buildRemoval } from '../admission/removal.ts';
import { podAt } from '../admission/workloads.ts';
import { CommandError, exit, parseOptions, runCommand } from './command.ts';
import { editFiles, report } from './edit.ts';
import type { Manifest } from './manifests.ts';
import { manifestObjects } from './objects.ts';

const help = `Usage: bpf-sidecar uninject -f FILE [-f FILE ...]

Prints manifests (YAML or JSON) without what "bpf-sidecar inject" or the webhook has put into their pods and pod
templates. Annotations that ask for the sidecar stay, so that the webhook injects it again when the pod is created;
set bpf.sh/inject to "false" to go without. What became of each object is reported on stderr.

  -f, --file FILE    manifest to read; - is stdin (repeatable)
  --help             show this

Exit codes: 0 done, 2 wrong usage or unreadable input.
`;

/** `bpf-sidecar uninject`. Resolves to the exit code. */
export function uninject(argv: string[]): Promise<number> {
  return runCommand('uninject', async () => {
    const { file, help: wanted } = parseOptions(argv, {
      file: { type: 'string', short: 'f', multiple: true },
      help: { type: 'boolean' },
    });
    if (wanted) {
      process.stdout.write(help);
      return exit.ok;
    }
    if (!file) throw new CommandError('-f is missing; see --help', exit.usage);
    await editFiles(file, uninjectManifest);
    return exit.ok;
  });
}

function uninjectManifest(manifest: Manifest): void {
  for (const { title, object, path, podPath } of manifestObjects(manifest.value)) {
    const pod = podPath && podAt(object, podPath);
    const removal = podProblem(pod) === undefined ? buildRemoval(pod as Pod) : [];
    manifest.edit([...path, ...(podPath ?? [])], removal);
    report(title, removal.length > 0 ? 'uninjected' : 'skipped: there is no sidecar in it');
  }
}
