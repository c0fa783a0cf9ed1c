import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** Paths of the documents that users read, from the top of the repository. */
export const documents = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'bpf/LICENSE.md',
  'charts/bpf-sidecar/README.md',
  'examples/kube-bpf/README.md',
  ...['docs', 'docs/decisions', 'docs/probes'].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `${folder}/${name}`),
  ),
];

export function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** The block of code after the comment `<!-- name -->`, fenced or indented, as it was before it was put there. */
export function block(path: string, name: string): string {
  const [, after] = read(path).split(`<!-- ${name} -->\n\n`);
  if (after === undefined) throw new Error(`${path} has no comment <!-- ${name} -->`);
  const [, fenced] = /^```\w+\n(.*?)^```$/ms.exec(after) ?? [];
  if (after.startsWith('```')) return fenced!;
  const lines = after.split('\n');
  const end = lines.findIndex((line) => line !== '' && !line.startsWith('    '));
  const indented = lines.slice(0, end).map((line) => line.slice(4));
  return `${indented.join('\n').trimEnd()}\n`;
}

/** The fenced blocks of a language. */
export function fences(path: string, language: string): string[] {
  return [...read(path).matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(
    ([, code]) => code!,
  );
}

/** The cells of the rows of the first table after some words, which a line may break. */
export function tableAfter(path: string, words: string): string[][] {
  const start = new RegExp(words.replaceAll(' ', '\\s+')).exec(read(path))?.index;
  if (start === undefined) throw new Error(`${path} has no words "${words}"`);
  const [table = ''] = /^\|(?:.*\n\|)*.*$/m.exec(read(path).slice(start)) ?? [];
  const [, , ...rows] = table.split('\n');
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** What the rows of tables have in code in their first cell: `` | `name` (default) | ... ``. */
export function firstCells(path: string): string[] {
  return [...read(path).matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name!);
}
