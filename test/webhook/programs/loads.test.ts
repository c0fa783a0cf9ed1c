import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conclude, readinessUrl, readReadiness } from '../../../webhook/programs/loads.ts';

test('what /readyz of a sidecar says is understood', () => {
  assert.equal(readReadiness(200, 'every probe is attached\n', 'test'), 'attached');
  assert.deepEqual(readReadiness(503, 'attaching\n', 'test'), {
    silent: 'its sidecar is attaching its probes',
  });
  const refused = 'probe test: program count_packets: permission denied';
  assert.deepEqual(readReadiness(503, `probe tcp: other\n${refused}\n`, 'test'), { refused });
  assert.equal(readReadiness(503, `${refused}\n`, 'tes'), 'attached');
  assert.deepEqual(readReadiness(404, 'no such path', 'test'), { silent: 'its sidecar answers 404' });
});

test('one sidecar that has refused a program outweighs those that have attached it', () => {
  assert.deepEqual(
    conclude([
      ['web-1', 'attached'],
      ['web-2', { refused: 'probe test: no' }],
    ]),
    { status: 'False', reason: 'NotAttached', message: 'pod web-2: probe test: no' },
  );
  assert.equal(
    conclude([
      ['web-1', { silent: 'it has gone' }],
      ['web-2', 'attached'],
    ]).status,
    'True',
  );
  assert.deepEqual(conclude([['web-1', { silent: 'it has gone' }]]), {
    status: 'Unknown',
    reason: 'NoAnswer',
    message: 'pod web-1: it has gone',
  });
  assert.equal(conclude([]).reason, 'NoPods');
});

test('a sidecar is asked at the port of its container', () => {
  const spec = {
    containers: [],
    initContainers: [{ name: 'bpf-sidecar', ports: [{ containerPort: 9400 }] }],
  };
  const url = (podIP: string) => readinessUrl({ spec, status: { podIP } });
  assert.equal(url('10.1.2.3'), 'http://10.1.2.3:9400/readyz');
  assert.equal(url('fd00::7'), 'http://[fd00::7]:9400/readyz');
  assert.equal(url(''), undefined);
  assert.equal(readinessUrl({ spec: { containers: [] }, status: { podIP: '10.1.2.3' } }), undefined);
});
