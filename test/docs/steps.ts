import { type Block, blocksOf } from './blocks.ts';

/** Where shell blocks can be run: by `npm test`, by `npm run test:e2e`, by `npm run test:node`. */
export const places = ['here', 'cluster', 'node'] as const;
export type Place = (typeof places)[number];

/** What a document has its reader do. */
export type Step = { line: number } & (FileStep | EditStep | ShellStep | NowhereStep);

/** `<!-- file: NAME -->`: the reader writes the block to a file. */
interface FileStep {
  kind: 'file';
  name: string;
  text: string;
}

/** `<!-- edit: NAME -->`: the reader changes the file as the block, a diff, tells. */
interface EditStep {
  kind: 'edit';
  name: string;
  before: string;
  after: string;
}

/** `<!-- shell: PLACE… -->`, then perhaps options. */
export interface ShellStep {
  kind: 'shell';
  places: Place[];
  /** `, numbers vary`: a number that is shown stands for any. */
  numbersVary: boolean;
  /** `, stays`: in a terminal of its own, until the next one that stays or the end of the document. */
  stays: boolean;
  commands: Command[];
}

/** `<!-- shell: nowhere, REASON -->`: no test can run it. */
interface NowhereStep {
  kind: 'nowhere';
  reason: string;
}

export interface Command {
  command: string;
  /** What it prints. Undefined for a script of several commands, which has to succeed. */
  shown?: string;
}

/** What a document has its reader do, in order. Throws an Error that names the first block which breaks the convention. */
export function stepsOf(path: string): Step[] {
  return blocksOf(path).flatMap((block) => {
    try {
      const step = stepOf(block);
      return step === undefined ? [] : [{ line: block.line, ...step }];
    } catch (error) {
      throw new Error(`${path}:${block.line}: ${(error as Error).message}`);
    }
  });
}

export function stepOf(block: Block): FileStep | EditStep | ShellStep | NowhereStep | undefined {
  const { comments, language, text } = block;
  const marks = new Map(
    comments.map((comment) => {
      const [, name = '', value = ''] = /^(\w+): *(.*)$/.exec(comment) ?? [];
      return [name, value];
    }),
  );
  const shell = marks.get('shell');
  if (shell !== undefined) return shellStep(shell, text);
  if (isShell(block))
    throw new Error('a shell block needs a comment <!-- shell: … --> before it, see test/docs/steps.ts');
  if (looksLikeShell(block))
    throw new Error('commands alone belong in a fence of the language sh, with output after "$ "');
  const file = marks.get('file');
  if (file !== undefined) return { kind: 'file', name: file, text };
  const edit = marks.get('edit');
  if (edit === undefined) return undefined;
  if (language !== 'diff') throw new Error('an edit must be a fence of the language diff');
  return { kind: 'edit', name: edit, before: sideOf(text, '-'), after: sideOf(text, '+') };
}

function isShell({ language, text }: Block): boolean {
  return ['sh', 'shell', 'bash', 'console'].includes(language) || /^\$ /m.test(text);
}

/** A block without a language that begins with a command, and is not said to be the output of one. */
function looksLikeShell({ language, comments, text }: Block): boolean {
  return (
    ['', 'text'].includes(language) &&
    !comments.some((comment) => comment.startsWith('output:')) &&
    /^(?:clang|cp|curl|docker|export|git|go|helm|kubectl|mkdir|node|npm|npx|nsenter|sh|sudo) /.test(text)
  );
}

function shellStep(mark: string, text: string): ShellStep | NowhereStep {
  const [where = '', ...options] = mark.split(/, */);
  if (where === 'nowhere') {
    if (options.length === 0) throw new Error('"nowhere" needs a reason after a comma');
    return { kind: 'nowhere', reason: options.join(', ') };
  }
  const wanted = where.split(' ');
  for (const place of wanted)
    if (!places.includes(place as Place))
      throw new Error(`there is no place "${place}"; there are ${places.join(', ')} and nowhere`);
  for (const option of options)
    if (option !== 'numbers vary' && option !== 'stays')
      throw new Error(`there is no option "${option}"; there are "numbers vary" and "stays"`);
  const commands = commandsOf(text);
  const stays = options.includes('stays');
  if (stays && (commands.length !== 1 || !commands[0]!.shown))
    throw new Error('what stays is one command after "$ ", with the output that it has to come to');
  return {
    kind: 'shell',
    places: wanted as Place[],
    numbersVary: options.includes('numbers vary'),
    stays,
    commands,
  };
}

/** The commands of a transcript with what each prints; a text without one is a script. */
export function commandsOf(text: string): Command[] {
  if (!/^\$ /m.test(text)) return [{ command: text }];
  const [before, ...parts] = `\n${text}`.split(/\n\$ /);
  if (before !== '') throw new Error('a transcript begins with a command');
  return parts.map((part) => {
    // A backslash at the end of a line has the command go on in the next.
    const [, command = '', shown = ''] = /^((?:[^\n]*\\\n)*[^\n]*)\n?(.*)$/s.exec(part)!;
    return { command, shown };
  });
}

/** Does to files, by name, what a step does to them. Returns the name of the one that it has written. */
export function write(files: Map<string, string>, step: Step): string | undefined {
  if (step.kind === 'file') files.set(step.name, step.text);
  else if (step.kind === 'edit') {
    const parts = (files.get(step.name) ?? '').split(step.before);
    if (parts.length !== 2)
      throw new Error(`${step.name} has ${parts.length - 1} times, and not once:\n${step.before}`);
    files.set(step.name, parts.join(step.after));
  } else return undefined;
  return step.name;
}

/** The files that a document has its reader write, by name, as they are at its end. */
export function filesOf(path: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const step of stepsOf(path)) write(files, step);
  return files;
}

/** The command by which a document has its reader compile. */
export function compilationOf(path: string): string {
  const commands = stepsOf(path).flatMap((step) => (step.kind === 'shell' ? step.commands : []));
  const found = commands.find(({ command }) => command.startsWith('clang '));
  if (found === undefined) throw new Error(`${path} has no command that compiles`);
  return found.command;
}

/** What a diff has before (`-`) or after (`+`) the change. */
function sideOf(diff: string, sign: '-' | '+'): string {
  return diff
    .split(/(?<=\n)/)
    .filter((line) => line === '\n' || line.startsWith(' ') || line.startsWith(sign))
    .map((line) => (line === '\n' ? line : line.slice(1)))
    .join('');
}

/** What a shown output stands for: the whole of what is printed, or with `begins` the beginning. */
export function patternOf(shown: string, { numbersVary = false, begins = false } = {}): RegExp {
  const lines = trimLines(shown).trimEnd().split('\n');
  const pattern = lines
    .map((line) => (line.trim() === '…' ? '(?:.*\\n)*?' : `${patternOfLine(line, numbersVary)} *\\n`))
    .join('');
  return new RegExp(`^${pattern}${begins ? '' : '$'}`);
}

function patternOfLine(line: string, numbersVary: boolean): string {
  const escaped = patternOfWords(line);
  return numbersVary
    ? escaped
        .replace(/\d+(?:(?:\\\.|,)\d+)*(?:e[-+]?\d+)?/g, '\\d[\\d.,]*(?:e[-+]?\\d+)?')
        .replace(/ {2,}/g, ' +')
    : escaped;
}

/** The source of a regular expression for words in which `…` stands for any. */
export function patternOfWords(words: string): string {
  return words.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('…', '.*');
}

/** Without empty lines at the beginning and the end, and with one end of line. */
export function trimLines(text: string): string {
  return `${text.replace(/^(?: *\n)+/, '').trimEnd()}\n`;
}
