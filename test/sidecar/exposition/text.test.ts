import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textFormat } from '../../../sidecar/exposition/text.ts';
import { constantLabels, families } from './families.ts';

test('every type as the text format 0.0.4 writes it, in the order given', () => {
  assert.equal(
    textFormat.render(families, constantLabels).toString(),
    String.raw`# HELP bpf_syscalls_total System calls that returned.
# TYPE bpf_syscalls_total counter
bpf_syscalls_total{namespace="default",pod="web-1",container="web",syscall="read"} 9007199254740992
bpf_syscalls_total{namespace="default",pod="web-1",container="web",syscall="write"} 0
# HELP bpf_events A counter that is not called so.
# TYPE bpf_events counter
bpf_events{namespace="default",pod="web-1"} 7
# HELP bpf_open_sockets Path C:\\a,\nnext "line".
# TYPE bpf_open_sockets gauge
bpf_open_sockets{namespace="default",pod="web-1",case="nan"} NaN
bpf_open_sockets{namespace="default",pod="web-1",case="infinity"} +Inf
bpf_open_sockets{namespace="default",pod="web-1",case="minus infinity"} -Inf
bpf_open_sockets{namespace="default",pod="web-1",case="largest u64"} 18446744073709552000
bpf_open_sockets{namespace="default",pod="web-1",case="small"} 1e-9
# TYPE bpf_foreign untyped
bpf_foreign{namespace="default",pod="web-1"} 1.5
# HELP bpf_rtt_seconds Round trips.
# TYPE bpf_rtt_seconds histogram
bpf_rtt_seconds_bucket{namespace="default",pod="web-1",container="web",le="0.000001"} 1
bpf_rtt_seconds_bucket{namespace="default",pod="web-1",container="web",le="0.5"} 1
bpf_rtt_seconds_bucket{namespace="default",pod="web-1",container="web",le="1"} 3
bpf_rtt_seconds_bucket{namespace="default",pod="web-1",container="web",le="+Inf"} 7
bpf_rtt_seconds_sum{namespace="default",pod="web-1",container="web"} 12.25
bpf_rtt_seconds_count{namespace="default",pod="web-1",container="web"} 7
bpf_rtt_seconds_bucket{namespace="default",pod="web-1",container="idle",le="0.000001"} 0
bpf_rtt_seconds_bucket{namespace="default",pod="web-1",container="idle",le="0.5"} 0
bpf_rtt_seconds_bucket{namespace="default",pod="web-1",container="idle",le="1"} 0
bpf_rtt_seconds_bucket{namespace="default",pod="web-1",container="idle",le="+Inf"} 0
bpf_rtt_seconds_sum{namespace="default",pod="web-1",container="idle"} 0
bpf_rtt_seconds_count{namespace="default",pod="web-1",container="idle"} 0
# HELP bpf_queue_bytes_bucket Packets in the queue.
# TYPE bpf_queue_bytes_bucket untyped
bpf_queue_bytes_bucket{namespace="default",pod="web-1",device="eth0",le="1000"} 2
bpf_queue_bytes_bucket{namespace="default",pod="web-1",device="eth0",le="2000"} 2
bpf_queue_bytes_bucket{namespace="default",pod="web-1",device="eth0",le="+Inf"} 3
# HELP bpf_queue_bytes_gsum Packets in the queue.
# TYPE bpf_queue_bytes_gsum gauge
bpf_queue_bytes_gsum{namespace="default",pod="web-1",device="eth0"} 5500
# HELP bpf_queue_bytes_gcount Packets in the queue.
# TYPE bpf_queue_bytes_gcount gauge
bpf_queue_bytes_gcount{namespace="default",pod="web-1",device="eth0"} 3
# HELP bpf_wait_seconds Waits.
# TYPE bpf_wait_seconds summary
bpf_wait_seconds_sum{namespace="default",pod="web-1",container="web"} 0.25
bpf_wait_seconds_count{namespace="default",pod="web-1",container="web"} 3
bpf_wait_seconds_sum{namespace="default",pod="web-1"} 0
bpf_wait_seconds_count{namespace="default",pod="web-1"} 0
# HELP bpf_link_state States of the link.
# TYPE bpf_link_state gauge
bpf_link_state{namespace="default",pod="web-1",device="eth0",bpf_link_state="up"} 1
bpf_link_state{namespace="default",pod="web-1",device="eth0",bpf_link_state="no \"carrier\""} 0
bpf_link_state{namespace="default",pod="web-1",device="eth0",bpf_link_state="loop"} 0
bpf_link_state{namespace="default",pod="web-1",bpf_link_state="up"} 0
bpf_link_state{namespace="default",pod="web-1",bpf_link_state="no \"carrier\""} 1
bpf_link_state{namespace="default",pod="web-1",bpf_link_state="loop"} 1
# HELP bpf_program_info Programs.
# TYPE bpf_program_info gauge
bpf_program_info{namespace="default",pod="web-1",program="count"} 1
`,
  );
});

test('without labels of any kind there are no braces, and a bucket has only its bound', () => {
  const head = { help: '', name: 'x' };
  assert.equal(
    textFormat.render([{ ...head, type: 'gauge', series: [{ labels: '', value: 7 }] }], '').toString(),
    '# TYPE x gauge\nx 7\n',
  );
  assert.equal(
    textFormat
      .render(
        [{ ...head, type: 'histogram', bounds: [2], series: [{ labels: '', counts: [1, 1], sum: 5 }] }],
        '',
      )
      .toString(),
    '# TYPE x histogram\nx_bucket{le="2"} 1\nx_bucket{le="+Inf"} 2\nx_sum 5\nx_count 2\n',
  );
});
