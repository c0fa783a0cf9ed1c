import assert from 'node:assert/strict';
import { test } from 'node:test';
import { negotiateFormat } from '../../../sidecar/exposition/negotiate.ts';

const text = 'text/plain; version=0.0.4; charset=utf-8';
const openMetrics = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

const table: [client: string, accept: string | undefined, contentType: string][] = [
  ['no header', undefined, text],
  ['an empty header', '', text],
  ['a browser', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', text],
  ['curl', '*/*', text],
  [
    'Prometheus 2.42',
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
    openMetrics,
  ],
  [
    'Prometheus 3',
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
    openMetrics,
  ],
  ['text preferred', 'application/openmetrics-text;version=1.0.0;q=0.2,text/plain;version=0.0.4;q=0.5', text],
  ['OpenMetrics refused', 'application/openmetrics-text;q=0,*/*', text],
  ['another version of OpenMetrics', 'application/openmetrics-text;version=0.0.1', text],
  ['OpenMetrics of any version', 'application/openmetrics-text', openMetrics],
  ['a quoted version', 'application/openmetrics-text; version="1.0.0"', openMetrics],
  ['only protobuf', 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily', text],
  ['nonsense', ';;q=,/', text],
];

for (const [client, accept, contentType] of table)
  test(`${client} gets ${contentType.split(';')[0]}`, () => {
    assert.equal(negotiateFormat(accept).contentType, contentType);
  });
