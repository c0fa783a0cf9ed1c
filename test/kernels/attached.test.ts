import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Attachment } from '../../scripts/kernels/result.ts';
import { builtinProbes } from '../../sidecar/contract/probes.ts';
import { podFor } from '../support/pod.ts';

/** A line of the status page about a program. */
const line = /^ {2}SEC\("[^"]*"\) (\w+): (.*)$/;

describe('the programs of every built-in probe', () => {
  test('are attached, or the reason why not is told', async (t) => {
    const pod = await podFor(t, { probes: builtinProbes.join() });
    const page = await (await fetch(pod.url('/'))).text();
    let probe = '';
    const programs: Attachment[] = page.split('\n').flatMap((text) => {
      const [, name] = /^(\w+): /.exec(text) ?? [];
      if (name !== undefined) probe = name;
      const [, program, state] = line.exec(text) ?? [];
      if (program === undefined) return [];
      return { probe, program, ...(state !== 'attached' && { problem: `\`${program}\`: ${state}` }) };
    });
    for (const program of programs) t.diagnostic(JSON.stringify(program));
    const { all } = await pod.scrape();
    const states = all.filter(({ name }) => name === 'bpf_sidecar_program_attached');
    assert.equal(programs.length, states.length);
    for (const { labels, value } of states) {
      const told = programs.find(
        ({ probe, program }) => probe === labels.probe && program === labels.program,
      );
      assert.equal(told?.problem === undefined, value === 1, JSON.stringify(told));
    }
  });
});
