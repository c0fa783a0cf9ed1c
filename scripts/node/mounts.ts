import { readFileSync } from 'node:fs';

/** One line of /proc/self/mountinfo. */
export interface HostMount {
  target: string;
  type: string;
}

/** What is mounted for this process, in the order of mounting; see proc_pid_mountinfo(5). */
export function mounts(): HostMount[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => {
      const fields = line.split(' ');
      return { target: unescapeOctal(fields[4] ?? ''), type: fields[fields.indexOf('-') + 1] ?? '' };
    });
}

/** Blanks, tabs, newlines and backslashes are written as three octal digits. */
function unescapeOctal(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
