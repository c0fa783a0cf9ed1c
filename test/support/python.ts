import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Container } from '../../scripts/node/sandbox.ts';

/** Each answer is one write, so that nothing of it comes later. */
const interpreter = `
import json, os, sys
for line in sys.stdin:
    answer = None
    exec(json.loads(line))
    os.write(1, (json.dumps(answer) + '\\n').encode())
`;

/** A Python process in a container, which is asleep until it is told to run something, and ends when we do. */
export interface Python {
  process: ChildProcess;
  /** Runs a program to its end and gives what it left in `answer`; rejects when it fails. */
  run(program: string): Promise<unknown>;
}

/** Starts one and waits until it has run something. */
export async function startPython(container: Container): Promise<Python> {
  const child = container.spawn(['python3', '-c', interpreter], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout! });
  const run = async (program: string) => {
    const answered = Promise.race([once(lines, 'line'), once(lines, 'close')]);
    child.stdin!.write(`${JSON.stringify(program)}\n`);
    const [answer] = await answered;
    if (answer === undefined) throw new Error(`the program failed: ${program}`);
    return JSON.parse(answer);
  };
  await run('pass');
  return { process: child, run };
}
