/** A spec that has every field of the format. */
export const everything = `
x-anything: [1, 2]
prefix: shop_
tracing: { spans: [{ name: any, ringbuf: thing }] }
programs: [{ name: wakeup, subject: arg0 }]
kaddrs: [jiffies, __x64_sys_write.cold]
cgroup_id_map: { name: cgroups, type: cgrp_storage, regexps: ["^web"] }
metrics:
  counters:
    - name: calls_total
      help: Calls.
      map: calls
      value: calls
      labels:
        - { name: container, size: 8, decoders: [{ name: uint }, { name: cgroup }] }
        - { name: command, size: 16, padding: 4, decoders: [{ name: string }, { name: regexp, regexps: ["a+"], skip_cache_size: 100 }] }
        - name: side
          size: 4
          decoders: [{ name: uint, digits: 5 }, { name: static_map, allow_unknown: true, static_map: { 1: left, 2: 3, 4: true } }]
        - { name: address, size: 16, decoders: [{ name: inet_ip }] }
        - { name: stack, size: 160, decoders: [{ name: kstack }] }
        - { name: reason, size: 4, decoders: [{ name: uint }, { name: kernel_enum, enum: skb_drop_reason, prefix: SKB_DROP_REASON_ }] }
        - { name: stack_by_id, size: 4, decoders: [{ name: kstack_id, map: stacks }] }
        - { name: device, size: 4, decoders: [{ name: majorminor }] }
        - { name: question, size: 10000, decoders: [{ name: dname }] }
        - { name: pod, size: 4, decoders: [{ name: uint }, { name: cgroup }] }
    - name: other_total
      perf_event_array: true
      flush_interval: 1.5h
  gauges:
    - { name: open, labels: [] }
  histograms:
    - name: call_seconds
      value: duration
      exemplars: last
      bucket_type: exp2
      bucket_min: 1
      bucket_max: 20
      bucket_multiplier: 1e-9
      labels: [{ name: offset, size: 2, decoders: [{ name: int }] }]
    - name: keyed
      bucket_type: fixed
      bucket_min: 0
      bucket_max: 0
      bucket_keys: [1, 2.5, 10]
      labels:
        - { name: operation, size: 8, decoders: [{ name: hex }] }
        - { name: slot, size: 8, decoders: [{ name: uint }] }
    - { name: by_btf, bucket_type: linear, bucket_max: 9 }
  gauge_histograms:
    - { name: queue, value: queue, bucket_type: exp2zero, bucket_max: 64, labels: [] }
  summaries:
    - { name: wait_seconds, value: wait, sum_multiplier: 0.001, labels: [] }
  state_sets:
    - { name: link, states: [up, carrier], labels: [{ name: interface, size: 4, decoders: [{ name: ifname }] }] }
  info:
    - { name: program_info, map: programs }
  unknown:
    - { name: foreign }
`;
