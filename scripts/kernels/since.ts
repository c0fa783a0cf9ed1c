import type { Attachment, Result, Run } from './result.ts';

const { compare } = new Intl.Collator('en', { numeric: true });

/** What Debian's 5.10 is known to lack, by program of a built-in probe or by type, and the first series that has it. */
const since: Readonly<Record<string, string>> = {
  // The tracepoint cap_capable.
  capability_check: '6.14',
  // Linux 5.18, and CONFIG_FPROBE, which Debian's 6.1 is built without.
  'kprobe.multi': '6.12',
  lsm_cgroup: '6.0',
  'uprobe.multi': '6.6',
  'uretprobe.multi': '6.6',
  // BPF cookies, for a position-independent executable.
  usdt: '5.15',
};

/** Whether a kernel's release, such as 6.1.0-56, is older than the series that brought what has this name. */
export function isKnownToLack(release: string, name: string): boolean {
  const series = since[name];
  return series !== undefined && compare(release.split('.').slice(0, 2).join('.'), series) < 0;
}

/** Each difference between what a kernel took and what it is known to take, as a sentence. */
export function surprises({ kernel, results, attachments }: Run): string[] {
  const seen = [
    ...attachments.map(({ program, problem }: Attachment) => [program, problem === undefined] as const),
    ...results
      .filter(isSmoke)
      .map(({ name, outcome }: Result) => [typeIn(name), outcome !== 'skipped'] as const),
  ];
  return seen.flatMap(([name, taken]) => {
    const lacks = isKnownToLack(kernel, name);
    if (taken && lacks)
      return `${name} works on ${kernel}, though scripts/kernels/since.ts has it from ${since[name]} on`;
    if (!taken && !lacks)
      return `${name} does not work on ${kernel}, and scripts/kernels/since.ts knows of no reason`;
    return [];
  });
}

/** Whether a test is one of the short form, which are skipped only for what a kernel has not. */
function isSmoke({ file }: Result): boolean {
  return file.startsWith('test/kernels/');
}

/** The first type of program that the name of a test has, or the name. */
function typeIn(name: string): string {
  return /^`([^`]+)`/.exec(name)?.[1] ?? name;
}
