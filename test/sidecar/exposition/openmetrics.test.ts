import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openMetricsFormat } from '../../../sidecar/exposition/openmetrics.ts';
import { constantLabels, families } from './families.ts';

test('every type as OpenMetrics 1.0 writes it, in the order given', () => {
  assert.equal(
    openMetricsFormat.render(families, constantLabels).toString(),
    String.raw`# TYPE bpf_syscalls counter
# HELP bpf_syscalls System calls that returned.
bpf_syscalls_total{namespace="default",pod="web-1",container="web",syscall="read"} 9007199254740992
bpf_syscalls_total{namespace="default",pod="web-1",container="web",syscall="write"} 0
# TYPE bpf_events unknown
# HELP bpf_events A counter that is not called so.
bpf_events{namespace="default",pod="web-1"} 7
# TYPE bpf_open_sockets gauge
# HELP bpf_open_sockets Path C:\\a,\nnext \"line\".
bpf_open_sockets{namespace="default",pod="web-1",case="nan"} NaN
bpf_open_sockets{namespace="default",pod="web-1",case="infinity"} +Inf
bpf_open_sockets{namespace="default",pod="web-1",case="minus infinity"} -Inf
bpf_open_sockets{namespace="default",pod="web-1",case="largest u64"} 18446744073709552000
bpf_open_sockets{namespace="default",pod="web-1",case="small"} 1e-9
# TYPE bpf_foreign unknown
bpf_foreign{namespace="default",pod="web-1"} 1.5
# TYPE bpf_rtt_seconds histogram
# HELP bpf_rtt_seconds Round trips.
bpf_rtt_seconds_bucket{namespace="default",pod="web-1",container="web",le="0.000001"} 1
bpf_rtt_seconds_bucket{namespace="default",pod="web-1",container="web",le="0.5"} 1
bpf_rtt_seconds_bucket{namespace="default",pod="web-1",container="web",le="1.0"} 3
bpf_rtt_seconds_bucket{namespace="default",pod="web-1",container="web",le="+Inf"} 7
bpf_rtt_seconds_sum{namespace="default",pod="web-1",container="web"} 12.25
bpf_rtt_seconds_count{namespace="default",pod="web-1",container="web"} 7
bpf_rtt_seconds_bucket{namespace="default",pod="web-1",container="idle",le="0.000001"} 0
bpf_rtt_seconds_bucket{namespace="default",pod="web-1",container="idle",le="0.5"} 0
bpf_rtt_seconds_bucket{namespace="default",pod="web-1",container="idle",le="1.0"} 0
bpf_rtt_seconds_bucket{namespace="default",pod="web-1",container="idle",le="+Inf"} 0
bpf_rtt_seconds_sum{namespace="default",pod="web-1",container="idle"} 0
bpf_rtt_seconds_count{namespace="default",pod="web-1",container="idle"} 0
# EOF
`,
  );
});

test('nothing to expose is still a complete exposition', () => {
  assert.equal(openMetricsFormat.render([], constantLabels).toString(), '# EOF\n');
});
