import { readFileSync } from 'node:fs';
import { text as readAll } from 'node:stream/consumers';
import { CommandError, exit } from './command.ts';
import { type Manifest, parseManifests } from './manifests.ts';

/**
 * Reads manifests from files (`-` is stdin), has each edited, and prints them all. Resolves to what the edits
 * returned. Prints nothing to stdout unless all input can be read.
 */
export async function editFiles<Result>(
  files: readonly string[],
  edit: (manifest: Manifest) => Result,
): Promise<Result[]> {
  const manifests: Manifest[] = [];
  for (const file of files) manifests.push(...(await readManifests(file)));
  const results = manifests.map(edit);
  process.stdout.write(join(manifests));
  return results;
}

/** Tells on stderr what became of an object. */
export function report(title: string, outcome: string): void {
  process.stderr.write(`${title}: ${outcome}\n`);
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
