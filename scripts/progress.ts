/**
 * Tells whoever waits what is done and how far it is, on stderr: what a command is for, on stdout, stays as it is. On a terminal
 * the last line is drawn again each second; elsewhere there are whole lines only, at the begin and at the end.
 */
const { stderr } = process;
const isTerminal = stderr.isTTY === true;

/** Milliseconds between two drawings, and the least where there is news. */
const period = 1000;
const pause = 250;

/** A piece of work under way. */
interface Step {
  what: string;
  began: number;
  /** In words, such as `3 of 9 packages`, which nobody may ever ask for. */
  where?: () => string;
  /** Of the whole. */
  share?: number | undefined;
  /** Seconds that it will have taken, as it seemed when the share was last another. */
  total?: number | undefined;
}

/** From the outermost to the innermost, which is the one that is shown. */
const steps: Step[] = [];
let timer: NodeJS.Timeout | undefined;
/** When the line was drawn that is there, if one is. */
let drawn: number | undefined;

/**
 * Does some work and tells what it is, and then what came of it and how long it took: `etcd ...`, `etcd: ready in 1.2 s`.
 * `doing` is what is told of it meanwhile.
 */
export async function step<T>(
  what: string,
  work: () => Promise<T> | T,
  { doing, done = 'done' }: { doing?: string; done?: string } = {},
): Promise<T> {
  const begun = doing === undefined ? what : `${what}: ${doing}`;
  if (!isTerminal) say(`${begun} ...`);
  const began = performance.now();
  const took = () => `${((performance.now() - began) / 1000).toFixed(1)} s`;
  try {
    const result = await waiting(begun, work);
    say(`${what}: ${done} in ${took()}`);
    return result;
  } catch (error) {
    say(`${what}: failed after ${took()}`);
    throw error;
  }
}

/** The same for who tells himself what came of it: nothing of the line stays, and there is none but on a terminal. */
export async function waiting<T>(what: string, work: () => Promise<T> | T): Promise<T> {
  const step: Step = { what, began: performance.now() };
  steps.push(step);
  draw();
  if (isTerminal) timer ??= setInterval(draw, period).unref();
  try {
    return await work();
  } finally {
    steps.splice(steps.indexOf(step), 1);
    if (steps.length === 0) {
      clearInterval(timer);
      timer = undefined;
    }
    clear();
    draw();
  }
}

/** How far the innermost step is, of which each part takes about as long as another: then it is told how long is left. */
export function at(done: number, of: number, unit = ''): void {
  tell(() => `${count(done)} of ${count(of)}${unit && ` ${unit}`}`, done / of);
}

/** Where the innermost step is, in words. */
export function note(where: string): void {
  tell(() => where);
}

function tell(where: () => string, share?: number): void {
  const step = steps.at(-1);
  if (step === undefined) return;
  step.where = where;
  if (share !== step.share) {
    step.share = share;
    step.total = share ? secondsOf(step) / share : undefined;
  }
  // Work that does not let a timer come to its turn shows what it does by this alone.
  if (drawn === undefined || performance.now() - drawn >= pause) draw();
}

/** A line that stays, above that of the step: on stderr, or on stdout where it is what the command is for. */
export function say(line: string, stream: NodeJS.WritableStream = stderr): void {
  clear();
  stream.write(`${line}\n`);
  draw();
}

/** The line of a step after so many seconds, in so many columns. */
export function lineOf(
  { what, where, total = 0 }: Pick<Step, 'what' | 'where' | 'total'>,
  seconds: number,
  columns: number,
): string {
  const parts = [
    `${what} ... ${Math.floor(seconds)} s`,
    ...(where === undefined ? [] : [where()]),
    ...(seconds < 3 || seconds >= total ? [] : [`about ${rough(total - seconds)} left`]),
  ];
  const line = parts.join(', ');
  // A line that the terminal breaks would not be drawn over.
  return line.length < columns ? line : `${line.slice(0, Math.max(columns - 2, 0))}…`;
}

function secondsOf({ began }: Pick<Step, 'began'>): number {
  return (performance.now() - began) / 1000;
}

function rough(seconds: number): string {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

function count(number: number): string {
  return number.toLocaleString('en');
}

function draw(): void {
  const step = steps.at(-1);
  if (!isTerminal || step === undefined) return;
  drawn = performance.now();
  stderr.write(`\r${lineOf(step, secondsOf(step), stderr.columns || 80)}\x1b[K`);
}

function clear(): void {
  if (drawn !== undefined) stderr.write('\r\x1b[K');
  drawn = undefined;
}
