import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labelBounds, readProbeOptions } from '../../../sidecar/contract/probe-options.ts';

const table = {
  network: { domains: { kind: 'number', min: 0, max: 100 } },
  tcp: { known: { kind: 'networks', most: 3 }, size: { kind: 'number', min: 1, max: 9 } },
} as const;
const allowed =
  'allowed are network.domains=<a whole number from 0 to 100>, tcp.known=<1 to 3 networks joined by +, such as 10.0.0.0/8+2001:db8::/32>, tcp.size=<a whole number from 1 to 9>';

for (const [text, read] of [
  ['', {}],
  [' , ', {}],
  ['network.domains=50', { network: { domains: 50 } }],
  ['tcp.size=9, network.domains=0', { tcp: { size: 9 }, network: { domains: 0 } }],
  ['tcp.known=10.0.0.0/8', { tcp: { known: ['10.0.0.0/8'] } }],
  [
    'tcp.known=10.0.0.0/8+2001:db8::/32+::1/128,tcp.size=2',
    { tcp: { known: ['10.0.0.0/8', '2001:db8::/32', '::1/128'], size: 2 } },
  ],
  ['domains=50', `"domains=50" is no option; ${allowed}`],
  ['network.domain=50', `"network.domain=50" is no option; ${allowed}`],
  ['dns.domains=50', `"dns.domains=50" is no option; ${allowed}`],
  ['network.constructor=50', `"network.constructor=50" is no option; ${allowed}`],
  ['network.domains', `"network.domains" is no option; ${allowed}`],
  ['network.domains=101', '"network.domains=101": the value must be a whole number from 0 to 100'],
  ['network.domains=1e1', '"network.domains=1e1": the value must be a whole number from 0 to 100'],
  ['network.domains=', '"network.domains=": the value must be a whole number from 0 to 100'],
  ['tcp.size=1,tcp.size=2', 'tcp.size is there twice'],
  [
    'tcp.known=10.0.0.0/33',
    '"tcp.known=10.0.0.0/33": the value must be 1 to 3 networks joined by +, such as 10.0.0.0/8+2001:db8::/32',
  ],
  [
    'tcp.known=10.0.0.0',
    '"tcp.known=10.0.0.0": the value must be 1 to 3 networks joined by +, such as 10.0.0.0/8+2001:db8::/32',
  ],
  [
    'tcp.known=::/0+::/0+::/0+::/0',
    '"tcp.known=::/0+::/0+::/0+::/0": the value must be 1 to 3 networks joined by +, such as 10.0.0.0/8+2001:db8::/32',
  ],
  ['x'.repeat(200), `"${'x'.repeat(80)}…" is no option; ${allowed}`],
] as const)
  test(`options ${JSON.stringify(text.slice(0, 40))}`, () =>
    assert.deepEqual(readProbeOptions(text, table), read));

test('an option bounds the different values of its label, which are none when it is not set', () => {
  assert.deepEqual([...labelBounds('dns', { domains: 50 })], [['dns_question_name', 50]]);
  assert.deepEqual([...labelBounds('dns', {})], [['dns_question_name', 0]]);
  assert.deepEqual([...labelBounds('constructor', {})], []);
});
