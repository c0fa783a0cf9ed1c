import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { skipReasons } from '../../webhook/admission/reasons.ts';
import { failures } from '../../webhook/certificates/source.ts';
import { causes } from '../../webhook/cli/check/judge-pod.ts';
import { eventResults } from '../../webhook/kubernetes/events.ts';
import { monitorResults } from '../../webhook/monitors/metrics.ts';
import { conditionReasons } from '../../webhook/programs/status.ts';
import { refusalReasons } from '../../webhook/server.ts';
import { read } from './documents.ts';
import { sentencesOfTheCode } from './sentences.ts';
import { patternOfWords } from './steps.ts';

const document = read('docs/troubleshooting.md');

/** A section of the document, up to the next heading. */
function section(heading: string): string {
  const [, after] = document.split(`\n${heading}\n`);
  assert.ok(after !== undefined, `there is no section "${heading}"`);
  return after.split(/^#/m, 1)[0]!;
}

/** What the rows of a section's tables have in code in one of their cells, all rows after one another. */
function inCode(text: string, column: number): string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .flatMap((row) =>
      [...(row.split('|')[column + 1] ?? '').matchAll(/`([^`]+)`/g)].map(([, code]) => code!),
    );
}

function assertSame(said: Iterable<string>, documented: Iterable<string>): void {
  assert.deepEqual([...new Set(documented)].sort(), [...new Set(said)].sort());
}

test('every reason for a skip is there, the warning ones as such, and no other', () => {
  const table = section('### Reasons for a skip');
  const rows = [...table.matchAll(/^\| `([\w-]+)`( \(warning)?/gm)];
  assert.deepEqual(
    Object.fromEntries(rows.map(([, reason, warning]) => [reason, warning !== undefined])),
    Object.fromEntries(Object.entries(skipReasons).map(([reason, { warn }]) => [reason, warn])),
  );
});

test('the causes that only check has are there', () => {
  assertSame(causes, inCode(section('### Causes that only check has'), 0));
});

test('every reason in the metrics of the webhook is there', () => {
  const text = section("### Reasons in the webhook's metrics");
  assertSame([...refusalReasons, ...failures, ...eventResults, ...monitorResults], inCode(text, 1));
});

test('every reason in the metrics of the sidecar is there', () => {
  const source = readFileSync(join(import.meta.dirname, '../../sidecar/metrics.ts'), 'utf8');
  const reasons = [...source.matchAll(/reason: '(\w+)'/g)].map(([, reason]) => reason!);
  assert.ok(reasons.length >= 4);
  const text = section("### Reasons in the sidecar's metrics");
  assertSame([...reasons, 'accepted', 'rejected'], inCode(text, 1));
});

test('every condition of a BPF resource is there with its reasons', () => {
  const text = section('### Conditions of a BPF resource');
  assertSame(Object.keys(conditionReasons), inCode(text, 0));
  assertSame(Object.values(conditionReasons).flat(), inCode(text, 1));
});

test('every sentence of the code is there, and no other', () => {
  const [, messages = ''] = document.split('<!-- messages -->');
  const documented = inCode(messages.split('<!-- end -->')[0]!, 0);
  const said = sentencesOfTheCode();
  assert.ok(said.length > 100);
  const patterns = documented.map((shown) => new RegExp(`^${patternOfWords(shown)}$`, 's'));
  assert.deepEqual(
    said.filter((sentence) => !patterns.some((pattern) => pattern.test(sentence))),
    [],
    'is said and not in the document',
  );
  assert.deepEqual(
    documented.filter((_, index) => !said.some((sentence) => patterns[index]!.test(sentence))),
    [],
    'is in the document and never said',
  );
});
