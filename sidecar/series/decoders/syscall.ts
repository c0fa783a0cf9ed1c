import { asText, type Decoder } from './decoder.ts';
import { syscallRuns } from './syscall-names.ts';

type Architecture = keyof typeof syscallRuns;

/** A system call's number, as text (put `uint` before), into its name; else `unknown_syscall:N`. */
export function createSyscall(architecture = process.arch as Architecture): Decoder {
  const names = new Map(
    syscallRuns[architecture].flatMap(([first, run]) =>
      run
        .trim()
        .split(/\s+/)
        .map((name, index): [string, string] => [String(first + index), name]),
    ),
  );
  return (input) => {
    const number = asText(input);
    return names.get(number) ?? `unknown_syscall:${number}`;
  };
}
