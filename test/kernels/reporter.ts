import { relative } from 'node:path';
import type { TestEvent } from 'node:test/reporters';
import type { Attachment, Result } from '../../scripts/kernels/result.ts';

const reasonLength = 1000;

/** Writes a line of JSON for each test that has ended, and for each message of a test, which is JSON itself. */
export default async function* reporter(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of source) {
    if (event.type === 'test:diagnostic' && event.data.message.startsWith('{'))
      yield line({ attachment: JSON.parse(event.data.message) });
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue;
    const { name, file = '', skip, details } = event.data;
    const error = event.type === 'test:fail' ? event.data.details.error : undefined;
    // A suite counts where it did not come to its tests.
    if (details.type === 'suite' && (error as { failureType?: string })?.failureType !== 'hookFailed')
      continue;
    const reason = error ? String((error.cause as Error)?.message || error.cause || error.message) : skip;
    yield line({
      result: {
        file: relative(process.cwd(), file),
        name,
        outcome: error ? 'failed' : skip === undefined ? 'passed' : 'skipped',
        ...(typeof reason === 'string' && { reason: reason.slice(0, reasonLength) }),
        seconds: Math.round(details.duration_ms / 100) / 10,
      },
    });
  }
}

function line(told: { result: Result } | { attachment: Attachment }): string {
  return `${JSON.stringify(told)}\n`;
}
