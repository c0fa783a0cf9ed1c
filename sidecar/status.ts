import type { Identity } from './pod/identity.ts';
import type { ProgramState } from './probe.ts';
import { type ProbeStatus, problemsOf, type Status } from './sidecar.ts';
import { version } from './version.ts';

/** The page at `/`, for people: who this is, what is attached, and why something is not. */
export function renderStatus(identity: Identity, status: Status): string {
  const lines = [
    `bpf-sidecar ${version}`,
    `pod ${identity.namespace}/${identity.pod} on node ${identity.node}`,
    '',
    ...status.probes.flatMap((probe) => [
      `${probe.name}: ${probe.rejected === undefined ? '' : `changed files not accepted, those before are in force: ${probe.rejected}; `}${probe.problem ?? programsOf(probe)}`,
      ...(probe.remark === undefined ? [] : [`  ${probe.remark}`]),
      ...probe.programs.map(
        (program) => `  SEC("${program.section}") ${program.name}: ${program.problem ?? attached(program)}`,
      ),
    ]),
    ...[status.problem, status.ineffective].filter((line) => line !== undefined),
    ...(status.rejected === undefined ? [] : ['annotations not accepted, nothing changed:', status.rejected]),
    '',
    status.settled ? `problems: ${problemsOf(status).length}` : 'attaching…',
    'metrics: /metrics',
  ];
  return `${lines.join('\n')}\n`;
}

function programsOf({ programs }: ProbeStatus): string {
  return programs.length === 0 ? 'no program, it reads files of cgroups' : `${programs.length} program(s)`;
}

function attached({ remark }: ProgramState): string {
  return remark === undefined ? 'attached' : `attached, approximate: ${remark}`;
}
