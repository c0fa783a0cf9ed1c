import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isGood, report, withReport } from '../../../scripts/kernels/report.ts';
import type { Result, Run } from '../../../scripts/kernels/result.ts';

const file = 'test/kernels/probes.test.ts';
const programs = 'test/kernels/programs.test.ts';
const passed = (name: string, where = file): Result => ({ file: where, name, outcome: 'passed', seconds: 1 });
const skipped = (name: string, reason: string, where = file): Result => ({
  ...passed(name, where),
  outcome: 'skipped',
  reason,
});

const old: Run = {
  kernel: '6.1.0-56',
  results: [passed('cpu'), passed('security'), skipped('`usdt`', 'no cookies', programs)],
  attachments: [
    { probe: 'cpu', program: 'switch_task' },
    { probe: 'security', program: 'privileged_call' },
    { probe: 'security', program: 'capability_check', problem: 'no such tracepoint' },
  ],
};
const date = new Date('2026-11-26T12:00:00Z');
/** The run with a change. */
const but = (change: Partial<Run>): Run => ({ ...old, ...change });

describe('the report of test:kernels', () => {
  test('has for each kernel what was attached and exact, with the reasons for what was not', () => {
    const newer = but({ kernel: '5.10.0-46', results: old.results });
    assert.ok(isGood(newer), report([newer], date));
    assert.equal(
      report([newer], date),
      `On 2026-11-26:

| Probe | 5.10.0-46 |
| --- | --- |
| \`cpu\` | 1 of 1, exact |
| \`security\` | 1 of 2 [1], exact |

| Programs | 5.10.0-46 |
| --- | --- |
| \`usdt\` | no [2] |

1. capability_check: no such tracepoint
2. \`usdt\`: no cookies
`,
    );
  });

  test('calls nothing exact of a machine that died', () => {
    const dead = but({ results: [passed('cpu')], problem: 'Kernel panic' });
    assert.ok(!isGood(dead));
    const text = report([dead], date);
    assert.doesNotMatch(text, /exact/);
    assert.match(text, /`cpu` \| 1 of 1, \*\*unfinished\*\*/);
    assert.match(text, /6\.1\.0-56 did not come to its end:[\s\S]*Kernel panic/);
  });

  test('fails for what a kernel is not known to lack, and for what it is known to lack and has', () => {
    assert.ok(!isGood(old));
    assert.match(report([old], date), /usdt does not work on 6\.1\.0-56, and .*since\.ts knows of no reason/);
    const results = [passed('cpu'), passed('`usdt`', programs)];
    assert.ok(isGood(but({ results })));
    const attachments = [{ probe: 'security', program: 'capability_check' }];
    assert.ok(!isGood(but({ results, attachments })));
    assert.match(
      report([but({ results, attachments })], date),
      /capability_check works on 6\.1\.0-56, though .*since\.ts has it from 6\.14 on/,
    );
    assert.ok(isGood(but({ kernel: '6.14.3', results, attachments })));
  });

  test('fails where a test failed, or none ran', () => {
    const results: Result[] = [{ ...passed('cpu'), outcome: 'failed', reason: '3 !== 4' }];
    assert.ok(!isGood(but({ results })));
    assert.match(report([but({ results })], date), /\*\*failed: 1 of 1\*\* \[1\]/);
    assert.ok(!isGood(but({ results: [], attachments: [] })));
  });

  test('takes its place in a document, which must have one', () => {
    const document = 'Before\n<!-- test:kernels -->\nold\n<!-- end -->\nAfter\n';
    assert.equal(
      withReport(document, 'new\n'),
      'Before\n<!-- test:kernels -->\n\nnew\n\n<!-- end -->\nAfter\n',
    );
    assert.throws(() => withReport('Before\n', 'new\n'), /has no line <!-- test:kernels --> with/);
  });
});
