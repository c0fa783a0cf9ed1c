import { annotationPrefix } from './contract/annotations.ts';
import type { Identity } from './pod/identity.ts';
import type { ProgramState } from './probe.ts';
import type { ProbeReport, ProgramReport, Report } from './report.ts';
import { type ProbeStatus, problemsOf, type Sidecar, type Status } from './sidecar.ts';
import { version } from './version.ts';

export function reportOf(identity: Identity, sidecar: Sidecar): Report {
  const { namespace, pod, uid, node } = identity;
  const { status } = sidecar;
  const metrics = new Map([...sidecar.probes()].map((probe) => [probe.name, probe.metrics]));
  return {
    version,
    namespace,
    pod,
    uid,
    node,
    containers: sidecar.containers(),
    started: performance.timeOrigin / 1000,
    settled: status.settled,
    probes: status.probes.map((probe) => reportOfProbe(probe, metrics.get(probe.name) ?? [])),
    notes: [
      isIdle(status)
        ? `no probe is switched on: name some in the pod's annotation ${annotationPrefix}probes`
        : undefined,
      status.problem,
      status.ineffective,
      status.rejected && `annotations not accepted, nothing changed:\n${status.rejected}`,
    ].filter((note) => note !== undefined),
    problems: problemsOf(status),
  };
}

/** The page at `/` for who has no browser: who this is, what is attached, and why something is not. */
export function renderReport(report: Report): string {
  const lines = [
    `bpf-sidecar ${report.version}`,
    `pod ${report.namespace}/${report.pod} on node ${report.node}`,
    `uid ${report.uid}`,
    `containers ${report.containers.join(', ') || 'none yet'}`,
    '',
    ...report.probes.flatMap(({ name, state, rejected, remark, programs }) => [
      `${name}: ${rejected === undefined ? '' : `${rejected}; `}${state}`,
      ...(remark === undefined ? [] : [`  ${remark}`]),
      ...programs.map((program) => `  SEC("${program.section}") ${program.name}: ${program.state}`),
    ]),
    ...report.notes,
    '',
    report.settled ? `problems: ${report.problems.length}` : 'attaching…',
    'metrics: /metrics',
    'plots: this address in a browser',
  ];
  return `${lines.join('\n')}\n`;
}

/** Whether there is nothing that it is asked to attach. */
function isIdle({ settled, settings, problem, probes }: Status): boolean {
  return settled && settings !== undefined && problem === undefined && probes.length === 0;
}

function reportOfProbe(probe: ProbeStatus, metrics: readonly string[]): ProbeReport {
  const { name, rejected, problem, remark } = probe;
  const programs = probe.programs.map(reportOfProgram);
  return {
    name,
    state: problem ?? programsOf(probe),
    attached: problem === undefined && programs.every(({ attached }) => attached),
    ...(rejected !== undefined && {
      rejected: `changed files not accepted, those before are in force: ${rejected}`,
    }),
    ...(remark !== undefined && { remark }),
    programs,
    metrics,
  };
}

function programsOf({ programs }: ProbeStatus): string {
  return programs.length === 0 ? 'no program, it reads files of cgroups' : `${programs.length} program(s)`;
}

function reportOfProgram({ name, section, problem, remark }: ProgramState): ProgramReport {
  const attached = remark === undefined ? 'attached' : `attached, approximate: ${remark}`;
  return { name, section, state: problem ?? attached, attached: problem === undefined };
}
