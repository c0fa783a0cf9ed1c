import { spawnSync } from 'node:child_process';

/** Debian's python3: the one that has Debian's python3-prometheus-client. */
const python = '/usr/bin/python3';

const printSamples = `
import json, sys
from prometheus_client.openmetrics.parser import text_fd_to_metric_families
# Universal newlines would end a line at a carriage return, which the format does not.
text = open(sys.stdin.fileno(), encoding='utf-8', newline='\\n')
print(json.dumps([
    dict(type=family.type, name=sample.name, labels=sample.labels, value=str(float(sample.value)))
    for family in text_fd_to_metric_families(text) for sample in family.samples
]))
`;

export interface TypedSample {
  /** Of the family. */
  type: string;
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** Reads OpenMetrics with the strict parser of the Python client; throws with its words. */
export function parseOpenMetrics(exposition: string): TypedSample[] {
  const { status, stdout, stderr } = run(python, ['-c', printSamples], exposition);
  if (status !== 0) throw new Error(stderr);
  const samples = JSON.parse(stdout) as (Omit<TypedSample, 'value'> & { value: string })[];
  // JSON has no infinities.
  return samples.map((sample) => ({ ...sample, value: Number(sample.value.replace('inf', 'Infinity')) }));
}

/** What promtool has to say about the text format: nothing when all is well. */
export function promtoolComplaints(exposition: string): string {
  const { status, stdout, stderr } = run('promtool', ['check', 'metrics'], exposition);
  return status === 0 ? stdout + stderr : stdout + stderr || `promtool ended with ${status}`;
}

export const promtoolMissing = missing('promtool', ['--version'], 'prometheus');
export const pythonClientMissing = missing(
  python,
  ['-c', 'import prometheus_client'],
  'python3-prometheus-client',
);
export const prometheusMissing = missing('prometheus', ['--version'], 'prometheus');

function missing(command: string, args: string[], debianPackage: string): string | false {
  return run(command, args).status === 0 ? false : `needs the Debian package ${debianPackage}`;
}

function run(command: string, args: string[], input = '') {
  return spawnSync(command, args, { input, encoding: 'utf8' });
}
