/** `skip` is what could not be looked into from here. */
export type Level = 'ok' | 'warn' | 'FAILED' | 'skip';

/** One thing that was looked into, in one sentence without a full stop. */
export interface Finding {
  level: Level;
  text: string;
}

export const ok = (text: string): Finding => ({ level: 'ok', text });
export const warn = (text: string): Finding => ({ level: 'warn', text });
export const failed = (text: string): Finding => ({ level: 'FAILED', text });
export const skipped = (text: string): Finding => ({ level: 'skip', text });

/** As a line of output. What is quoted from the cluster may hold anything, and the output is a terminal. */
export function line({ level, text }: Finding): string {
  return `${level.padEnd(6)} ${text.replace(/\p{Cc}/gu, '?')}`;
}

/** What the findings come to, as the last line of output. */
export function summary(findings: readonly Finding[]): string {
  const count = (wanted: Level) => findings.filter(({ level }) => level === wanted).length;
  const [failures, warnings] = [count('FAILED'), count('warn')];
  const verdict = failures > 0 ? 'FAILED' : warnings > 0 ? 'works, with warnings' : 'all is well';
  const skips = count('skip') > 0 ? `, ${count('skip')} skip` : '';
  return `bpf-sidecar: ${verdict} (${count('ok')} ok, ${warnings} warn, ${failures} FAILED${skips})`;
}
