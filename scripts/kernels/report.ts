import { basename } from 'node:path';
import type { Attachment, Result } from './result.ts';

/** What a kernel's machine told. */
export interface Run {
  /** The kernel's release. */
  kernel: string;
  results: Result[];
  attachments: Attachment[];
  /** Why the machine did not come to its end. */
  problem?: string;
}

/** Each of its tests is about one type of program, by name. */
const programsFile = 'kernel-functions.test.ts';

/** The report as Markdown. */
export function report(runs: readonly Run[]): string {
  const notes = new Notes();
  const probes = probesOf(runs);
  const kinds = unique(runs.flatMap(({ results }) => results.filter(isKind).map(({ name }) => name)));
  const others = unique(
    runs.flatMap(({ results }) =>
      results.filter((result) => !isKind(result) && !probeOf(result.file)).map(({ file }) => file),
    ),
  );
  const table = (title: string, rows: readonly string[], cell: (run: Run, row: string) => string) =>
    rows.length === 0
      ? []
      : [
          row(title, ...runs.map(({ kernel }) => kernel)),
          row(...Array.from({ length: runs.length + 1 }, () => '---')),
          ...rows.map((name) => row(name, ...runs.map((run) => cell(run, name)))),
          '',
        ];
  const lines = [
    ...table(
      'Probe',
      probes.map((probe) => `\`${probe}\``),
      (run, name) => probeCell(run, name.slice(1, -1), notes),
    ),
    ...table('Programs', kinds, (run, kind) => kindCell(run, kind, notes)),
    ...table('Other tests', others, (run, file) => fileCell(run, file, notes)),
    ...notes.lines(),
    ...runs.flatMap(({ kernel, problem }) => (problem === undefined ? [] : ['', `${kernel}: ${problem}`])),
  ];
  return `${lines.join('\n')}\n`;
}

export function isGood({ problem, results }: Run): boolean {
  return problem === undefined && results.length > 0 && results.every(({ outcome }) => outcome !== 'failed');
}

function probeCell({ results, attachments }: Run, probe: string, notes: Notes): string {
  const tests = results.filter(({ file }) => probeOf(file) === probe);
  const programs = attachments.filter((program) => program.probe === probe);
  const refused = programs.filter(({ problem }) => problem !== undefined);
  const attached =
    programs.length === 0 ? [] : [`${programs.length - refused.length} of ${programs.length} attached`];
  const marks = refused.map(({ problem }) => notes.mark(problem!));
  return [[...attached, ...marks].join(' '), outcome(tests, notes)].filter(Boolean).join('; ') || 'not tried';
}

function kindCell({ results }: Run, kind: string, notes: Notes): string {
  return outcome(
    results.filter((result) => isKind(result) && result.name === kind),
    notes,
  );
}

function fileCell({ results }: Run, file: string, notes: Notes): string {
  return outcome(
    results.filter((result) => result.file === file),
    notes,
  );
}

/** In a few words how tests ended, with the reasons in notes. */
function outcome(tests: readonly Result[], notes: Notes): string {
  const of = (wanted: Result['outcome']) => tests.filter(({ outcome }) => outcome === wanted);
  const [passed, failed, skipped] = [of('passed'), of('failed'), of('skipped')];
  const marks = [...failed, ...skipped].map(({ reason = '', name }) => notes.mark(reason, name));
  if (failed.length > 0) return `**failed: ${failed.length} of ${tests.length}** ${marks.join(' ')}`;
  if (passed.length > 0) return ['exact', ...marks].join(' ');
  return skipped.length > 0 ? `no ${marks.join(' ')}` : '';
}

/** Reasons, each told once below the tables. */
class Notes {
  readonly #texts: string[] = [];

  mark(reason: string, test?: string): string {
    const text = test === undefined || reason.includes(test) ? reason : `${test}: ${reason}`;
    const line = text.replaceAll(/\s+/g, ' ').trim().slice(0, 400);
    if (!this.#texts.includes(line)) this.#texts.push(line);
    return `[${this.#texts.indexOf(line) + 1}]`;
  }

  lines(): string[] {
    return this.#texts.map((text, index) => `${index + 1}. ${text}`);
  }
}

function probesOf(runs: readonly Run[]): string[] {
  const named = runs.flatMap(({ results, attachments }) => [
    ...results.flatMap(({ file }) => probeOf(file) ?? []),
    ...attachments.map(({ probe }) => probe),
  ]);
  return unique(named).sort();
}

function probeOf(file: string): string | undefined {
  return /^test\/bpf\/(\w+)\.test\.ts$/.exec(file)?.[1];
}

function isKind({ file }: Result): boolean {
  return basename(file) === programsFile;
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}

function row(...cells: string[]): string {
  return `| ${cells.join(' | ')} |`;
}
