import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after } from 'node:test';
import type { Container } from '../../scripts/node/sandbox.ts';

/** Runs each program that it reads as JSON, prints what that left in `answer`, and waits in between. */
const obey = `
for line in sys.stdin:
    answer = None
    exec(json.loads(line))
    print(json.dumps(answer), flush=True)
`;

/** Has a process run a Python program; gives what the program left in `answer`. */
export type Run = ((program: string) => Promise<unknown>) & { pid: number };

/**
 * Starts a Python process in a container that runs programs one after the other and does nothing in between. `prelude` is
 * there for all of them. It goes with the suite.
 */
export async function startObedient(container: Container, prelude: string): Promise<Run> {
  const program = `import ctypes, json, mmap, os, socket, sys, threading\n${prelude}${obey}`;
  const child = container.spawn(['python3', '-uc', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  after(() => child.kill());
  const answers = createInterface({ input: child.stdout! });
  const run = async (text: string) => {
    child.stdin!.write(`${JSON.stringify(text)}\n`);
    const [answer] = await once(answers, 'line', { signal: AbortSignal.timeout(20_000) });
    return JSON.parse(answer);
  };
  await run('pass');
  return Object.assign(run, { pid: child.pid! });
}
