import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openMetricsFormat } from '../../../sidecar/exposition/openmetrics.ts';
import type { Family } from '../../../sidecar/series/family.ts';
import { constantLabels, families } from './families.ts';

test('every type as OpenMetrics 1.0 writes it, in the order given', () => {
  assert.equal(
    openMetricsFormat.render(families, constantLabels).toString(),
    String.raw`# TYPE bpf_syscalls counter
# HELP bpf_syscalls System calls that returned.
bpf_syscalls_total{namespace="default",pod="web-1",container="web",syscall="read"} 9007199254740992
bpf_syscalls_created{namespace="default",pod="web-1",container="web",syscall="read"} 1700000000.5
bpf_syscalls_total{namespace="default",pod="web-1",container="web",syscall="write"} 0
bpf_syscalls_created{namespace="default",pod="web-1",container="web",syscall="write"} 1700000000.5
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
# UNIT bpf_rtt_seconds seconds
# HELP bpf_rtt_seconds Round trips.
bpf_rtt_seconds_bucket{namespace="default",pod="web-1",container="web",le="0.000001"} 1 # {} 1e-7 1700000001.250
bpf_rtt_seconds_bucket{namespace="default",pod="web-1",container="web",le="0.5"} 1
bpf_rtt_seconds_bucket{namespace="default",pod="web-1",container="web",le="1.0"} 3 # {pid="1",comm="say \"hi\""} 0.75 1700000001.250
bpf_rtt_seconds_bucket{namespace="default",pod="web-1",container="web",le="+Inf"} 7 # {pid="2"} 4 1700000001.250
bpf_rtt_seconds_sum{namespace="default",pod="web-1",container="web"} 12.25
bpf_rtt_seconds_count{namespace="default",pod="web-1",container="web"} 7
bpf_rtt_seconds_created{namespace="default",pod="web-1",container="web"} 1700000000.5
bpf_rtt_seconds_bucket{namespace="default",pod="web-1",container="idle",le="0.000001"} 0
bpf_rtt_seconds_bucket{namespace="default",pod="web-1",container="idle",le="0.5"} 0
bpf_rtt_seconds_bucket{namespace="default",pod="web-1",container="idle",le="1.0"} 0
bpf_rtt_seconds_bucket{namespace="default",pod="web-1",container="idle",le="+Inf"} 0
bpf_rtt_seconds_sum{namespace="default",pod="web-1",container="idle"} 0
bpf_rtt_seconds_count{namespace="default",pod="web-1",container="idle"} 0
bpf_rtt_seconds_created{namespace="default",pod="web-1",container="idle"} 1700000000.5
# TYPE bpf_queue_bytes gaugehistogram
# UNIT bpf_queue_bytes bytes
# HELP bpf_queue_bytes Packets in the queue.
bpf_queue_bytes_bucket{namespace="default",pod="web-1",device="eth0",le="1000.0"} 2
bpf_queue_bytes_bucket{namespace="default",pod="web-1",device="eth0",le="2000.0"} 2
bpf_queue_bytes_bucket{namespace="default",pod="web-1",device="eth0",le="+Inf"} 3
bpf_queue_bytes_gsum{namespace="default",pod="web-1",device="eth0"} 5500
bpf_queue_bytes_gcount{namespace="default",pod="web-1",device="eth0"} 3
# TYPE bpf_wait_seconds summary
# UNIT bpf_wait_seconds seconds
# HELP bpf_wait_seconds Waits.
bpf_wait_seconds_sum{namespace="default",pod="web-1",container="web"} 0.25
bpf_wait_seconds_count{namespace="default",pod="web-1",container="web"} 3
bpf_wait_seconds_created{namespace="default",pod="web-1",container="web"} 1700000000.5
bpf_wait_seconds_sum{namespace="default",pod="web-1"} 0
bpf_wait_seconds_count{namespace="default",pod="web-1"} 0
bpf_wait_seconds_created{namespace="default",pod="web-1"} 1700000000.5
# TYPE bpf_link_state stateset
# HELP bpf_link_state States of the link.
bpf_link_state{namespace="default",pod="web-1",device="eth0",bpf_link_state="up"} 1
bpf_link_state{namespace="default",pod="web-1",device="eth0",bpf_link_state="no \"carrier\""} 0
bpf_link_state{namespace="default",pod="web-1",device="eth0",bpf_link_state="loop"} 0
bpf_link_state{namespace="default",pod="web-1",bpf_link_state="up"} 0
bpf_link_state{namespace="default",pod="web-1",bpf_link_state="no \"carrier\""} 1
bpf_link_state{namespace="default",pod="web-1",bpf_link_state="loop"} 1
# TYPE bpf_program info
# HELP bpf_program Programs.
bpf_program_info{namespace="default",pod="web-1",program="count"} 1
# EOF
`,
  );
});

test("the unit is the last word of the family's name, when that is a base unit of a type that has one", () => {
  const series = [{ labels: '', value: 1 }];
  const unitLines = (family: Pick<Family, 'type' | 'name'>) =>
    openMetricsFormat
      .render([{ help: '', states: ['on'], bounds: [], series, ...family } as Family], '')
      .toString()
      .split('\n')
      .filter((line) => line.startsWith('# UNIT'));
  for (const [type, name, line] of [
    ['counter', 'bpf_sent_bytes_total', '# UNIT bpf_sent_bytes bytes'],
    ['counter', 'bpf_sent_bytes', '# UNIT bpf_sent_bytes bytes'],
    ['gauge', 'bpf_fill_ratio', '# UNIT bpf_fill_ratio ratio'],
    ['gauge', 'bpf_ratio', '# UNIT bpf_ratio ratio'],
    ['unknown', 'bpf_power_joules', '# UNIT bpf_power_joules joules'],
  ] as const)
    assert.deepEqual(unitLines({ type, name }), [line]);
  for (const [type, name] of [
    ['gauge', 'bpf_bytes_sent'],
    ['gauge', 'bpf_kilobytes'],
    ['counter', 'bpf_packets_total'],
    ['info', 'bpf_seconds_info'],
    ['stateset', 'bpf_seconds'],
  ] as const)
    assert.deepEqual(unitLines({ type, name }), [], name);
});

test('nothing to expose is still a complete exposition', () => {
  assert.equal(openMetricsFormat.render([], constantLabels).toString(), '# EOF\n');
});
