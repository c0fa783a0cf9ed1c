import type { Result, Run } from './result.ts';
import { surprises } from './since.ts';

/** Each of its tests is about one type of program, by name. */
const programsFile = 'test/kernels/programs.test.ts';
/** Each of its tests whose name is one word is about that probe. */
const probesFile = 'test/kernels/probes.test.ts';

const [begin, end] = ['<!-- test:kernels -->\n', '<!-- end -->\n'];

/** A document with the report between its lines for that. */
export function withReport(document: string, text: string): string {
  const [head, rest] = document.split(begin);
  const tail = rest?.split(end)[1];
  if (tail === undefined)
    throw new Error(`--out: the file has no line ${begin.trim()} with a line ${end.trim()} after it`);
  return `${head}${begin}\n${text}\n${end}${tail}`;
}

/** The report as Markdown. */
export function report(runs: readonly Run[], date: Date): string {
  const notes = new Notes();
  const probes = probesOf(runs);
  const kinds = unique(runs.flatMap(({ results }) => results.filter(isKind).map(({ name }) => name)));
  const others = unique(
    runs.flatMap(({ results }) =>
      results.filter((result) => !isKind(result) && !probeOf(result)).map(({ file }) => file),
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
    `On ${date.toISOString().slice(0, 10)}:`,
    '',
    ...table(
      'Probe',
      probes.map((probe) => `\`${probe}\``),
      (run, name) => probeCell(run, name.slice(1, -1), notes),
    ),
    ...table('Programs', kinds, (run, kind) => kindCell(run, kind, notes)),
    ...table('Other tests', others, (run, file) => fileCell(run, file, notes)),
    ...notes.lines(),
    ...runs.flatMap(surprises).flatMap((surprise) => ['', `**${surprise}.**`]),
    ...runs.flatMap(({ kernel, problem }) =>
      problem === undefined ? [] : ['', `**${kernel} did not come to its end:**`, '', '```', problem, '```'],
    ),
  ];
  return `${lines.join('\n')}\n`;
}

export function isGood(run: Run): boolean {
  const { problem, results } = run;
  const passed = results.length > 0 && results.every(({ outcome }) => outcome !== 'failed');
  return problem === undefined && passed && surprises(run).length === 0;
}

function probeCell(run: Run, probe: string, notes: Notes): string {
  const programs = run.attachments.filter((program) => program.probe === probe);
  const refused = programs.filter(({ problem }) => problem !== undefined);
  const marks = refused.map(({ program, problem }) => notes.mark(problem!, program));
  const attached = [`${programs.length - refused.length} of ${programs.length}`, ...marks].join(' ');
  const exact = outcome(run, (result) => probeOf(result) === probe, 'exact', notes);
  return [programs.length > 0 ? attached : '', exact].filter(Boolean).join(', ') || 'not tried';
}

function kindCell(run: Run, kind: string, notes: Notes): string {
  return outcome(run, (result) => isKind(result) && result.name === kind, 'exact', notes);
}

function fileCell(run: Run, file: string, notes: Notes): string {
  return outcome(run, (result) => result.file === file && !probeOf(result), 'passed', notes);
}

/** In a few words how the tests ended that fit, with the reasons in notes; `good` is the word for those that passed. */
function outcome(run: Run, fits: (result: Result) => boolean, good: string, notes: Notes): string {
  const tests = run.results.filter(fits);
  const of = (wanted: Result['outcome']) => tests.filter(({ outcome }) => outcome === wanted);
  const [passed, failed, skipped] = [of('passed'), of('failed'), of('skipped')];
  const marks = [...failed, ...skipped].map(({ reason = '', name }) => notes.mark(reason, name));
  if (failed.length > 0) return `**failed: ${failed.length} of ${tests.length}** ${marks.join(' ')}`;
  // Nobody knows which tests were still to come.
  if (run.problem !== undefined) return '**unfinished**';
  if (passed.length > 0) return [good, ...marks].join(' ');
  return skipped.length > 0 ? `no ${marks.join(' ')}` : '';
}

/** Reasons, each told once below the tables. */
class Notes {
  readonly #texts: string[] = [];

  mark(reason: string, test?: string): string {
    const text = test === undefined || reason.includes(test) ? reason : `${test}: ${reason}`;
    // What is another number in every run makes no other reason.
    const same = text.replaceAll(/\/proc\/\d+/g, '/proc/PID').replaceAll(/(bpf-sidecar-test)-\w+/g, '$1');
    const line = same.replaceAll(/\s+/g, ' ').trim().slice(0, 400);
    if (!this.#texts.includes(line)) this.#texts.push(line);
    return `[${this.#texts.indexOf(line) + 1}]`;
  }

  lines(): string[] {
    return this.#texts.map((text, index) => `${index + 1}. ${text}`);
  }
}

function probesOf(runs: readonly Run[]): string[] {
  const named = runs.flatMap(({ results, attachments }) => [
    ...results.flatMap((result) => probeOf(result) ?? []),
    ...attachments.map(({ probe }) => probe),
  ]);
  return unique(named).sort();
}

function probeOf({ file, name }: Result): string | undefined {
  if (file === probesFile) return /^\w+$/.exec(name)?.[0];
  return /^test\/bpf\/(\w+)\.test\.ts$/.exec(file)?.[1];
}

function isKind({ file }: Result): boolean {
  return file === programsFile;
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}

function row(...cells: string[]): string {
  return `| ${cells.join(' | ')} |`;
}
