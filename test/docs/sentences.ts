import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/**
 * Where the code has words that are not said where something is wrong: what decides about pods and reads what users write,
 * whose sentences stand behind a reason or the place of the mistake, and the page, which runs in the browser.
 */
const elsewhere = [
  ...['sidecar/contract/', 'sidecar/page/', 'sidecar/series/decoders/'],
  ...['webhook/admission/', 'webhook/config-file.ts'],
];
/** What is among that and says something all the same. */
const andYet = ['sidecar/contract/log.ts'];
const ignoredCalls = [
  // What they say begins with the place of a mistake, stands behind a reason, or is that all is well.
  ...['fail', 'shaped', 'skip', 'ok'],
  // The help of a metric.
  ...['asked', 'fullnessGauge', 'runCounter'],
  // A few words that are put into a sentence, or looked for.
  ...['loadObject', 'missing', 'refusable', 'refuseSum', 'includes'],
];
/** Fields and variables, likewise. */
const ignoredNames = ['help', 'kubeconfigHelp', 'all', 'wanted', 'what', 'place', 'endpointMembers'];
/** Calls that say something however short it is, and which of their arguments that is. */
const sayings: Readonly<Record<string, number>> = {
  Error: 0,
  BpfError: 0,
  CommandError: 0,
  Obstacle: 2,
  Refusal: 2,
  failed: 0,
  log: 1,
  sentence: 2,
  skipped: 0,
  text: 1,
  warn: 0,
};
/** Words from which on a literal is a sentence wherever it stands. */
const manyWords = 5;
/** Letters without which there are no words, but only what is put in. */
const fewLetters = 8;

/**
 * The sentences that the sidecar, the webhook and the command line say where something is wrong or worth a remark, each with
 * `…` for what it puts in. What they pass on from elsewhere, such as the words of libbpf, is not among them.
 */
export function sentencesOfTheCode(): string[] {
  const literals = sources().flatMap(literalsOf);
  const sentences = literals.filter(isSaid).map(({ words }) => words.trim());
  return [...new Set(sentences)].sort();
}

function sources(): string[] {
  return ['sidecar', 'webhook']
    .flatMap((half) =>
      readdirSync(join(root, half), { recursive: true, encoding: 'utf8' }).map((path) => join(half, path)),
    )
    .filter((path) => path.endsWith('.ts'))
    .filter((path) => andYet.includes(path) || !elsewhere.some((folder) => path.startsWith(folder)))
    .map((path) => readFileSync(join(root, path), 'utf8'));
}

interface Literal {
  /** With `…` for each substitution. */
  words: string;
  /** The function that it is an argument of, or that is called around it. */
  call: string;
  /** Which argument of it, if it is one itself. */
  position?: number;
  /** The field or variable that it is the value of. */
  name: string;
}

function isSaid({ words, call, position, name }: Literal): boolean {
  const plain = words.replaceAll('…', ' ').trim();
  // Several lines are a help or a list.
  if (ignoredCalls.includes(call) || ignoredNames.includes(name) || words.includes('\n')) return false;
  if (position !== undefined && sayings[call] === position) return plain.length >= fewLetters;
  return plain.split(/\s+/).length >= manyWords;
}

/** The strings and templates of a source, those inside of a template left out. */
function literalsOf(source: string): Literal[] {
  const literals: Literal[] = [];
  /** The brackets that are open: of a call with its name, and how many commas there were. */
  const open: { call?: string; commas: number }[] = [];
  for (let at = 0; at < source.length; ) {
    const character = source[at]!;
    const end = endOfToken(source, at);
    const before = source.slice(0, at);
    if ('([{'.includes(character))
      open.push({
        ...(character === '(' && { call: /(\w+)$/.exec(before.slice(-40))?.[1] ?? '' }),
        commas: 0,
      });
    else if (')]}'.includes(character)) open.pop();
    else if (character === ',' && open.length > 0) open.at(-1)!.commas++;
    else if ('\'"`'.includes(character)) {
      const innermost = open.at(-1);
      literals.push({
        words: wordsOf(source.slice(at + 1, end - 1)),
        call: open.findLast(({ call }) => call !== undefined)?.call ?? '',
        ...(innermost?.call !== undefined && { position: innermost.commas }),
        name: nameOf(before.slice(-200)),
      });
    }
    at = end;
  }
  return literals;
}

/** The field, or else the variable, whose value comes after this piece of code. */
function nameOf(before: string): string {
  return (/(\w+):\s*$/.exec(before) ?? /\bconst (\w+) =[^;]*$/.exec(before))?.[1] ?? '';
}

/** The contents of a literal, with `…` for each substitution. */
function wordsOf(literal: string): string {
  let words = '';
  for (let at = 0; at < literal.length; ) {
    const end = endInLiteral(literal, at);
    if (literal.startsWith('${', at)) words += '…';
    else if (literal.startsWith('\\n', at)) words += ' ';
    else words += literal[at] === '\\' ? literal.slice(at + 1, end) : literal.slice(at, end);
    at = end;
  }
  return words;
}

/** Where the literal, regular expression or comment ends that begins at an index; the next character where none does. */
function endOfToken(source: string, index: number): number {
  if (source.startsWith('//', index)) return endOf(source, '\n', index);
  if (source.startsWith('/*', index)) return endOf(source, '*/', index);
  const quote = source[index]!;
  const isRegExp = quote === '/' && /[(,=:[!&|?{};]\s*$/.test(source.slice(Math.max(0, index - 20), index));
  if (!'\'"`'.includes(quote) && !isRegExp) return index + 1;
  let at = index + 1;
  for (let inClass = false; at < source.length && (inClass || source[at] !== quote); ) {
    if (isRegExp && '[]'.includes(source[at]!)) inClass = source[at] === '[';
    at = isRegExp && source[at] === '$' ? at + 1 : endInLiteral(source, at);
  }
  return at + 1;
}

/** Where the substitution, the escaped or the plain character ends that is in a literal at an index. */
function endInLiteral(source: string, index: number): number {
  if (source[index] === '\\') return index + 2;
  if (!source.startsWith('${', index)) return index + 1;
  let depth = 0;
  let at = index + 1;
  do {
    if ('([{'.includes(source[at]!)) depth++;
    if (')]}'.includes(source[at]!)) depth--;
    at = endOfToken(source, at);
  } while (depth > 0 && at < source.length);
  return at;
}

function endOf(source: string, mark: string, index: number): number {
  const found = source.indexOf(mark, index);
  return found < 0 ? source.length : found + mark.length;
}
