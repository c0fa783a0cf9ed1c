/**
 * Whom the events of a tracepoint are about, and so which dispatcher stands on it: the current task, a task or
 * a socket among the arguments. -1 stands for no such argument.
 */
export type Subject =
  | { kind: 'current' }
  | { kind: 'task'; first: number; second: number }
  | { kind: 'sock'; sock: number; skb: number };

/** Run in the task's own system call, always: their subject is clear without a look at the kernel's types. */
const inTask = new Set(['sys_enter', 'sys_exit']);

/**
 * Tracepoints of interrupts, timers, deferred work and memory as such. The task that is current there is
 * whoever was interrupted, or a thread of the kernel, so that counting by it would be wrong in silence.
 */
const withoutSubject =
  /^(irq_|softirq_|tasklet_|timer_|hrtimer_|tick_|itimer_|napi_|workqueue_|rcu_|ipi_|csd_|cpu_|cpuhp_|clock_|power_|mm_page_|mm_vmscan_kswapd|writeback_|dma_fence_|swiotlb_|local_timer_|reschedule_|call_function|thermal_apic_|error_apic_|x86_platform_ipi|vector_|nmi_|mce_)/;

/** How many arguments the dispatchers can look at. */
const reach = { task: 4, sock: 4, skb: 3 } as const;

/**
 * Decides by the tracepoint's name and by what its arguments point to, see tracepointArguments. Throws an Error
 * that says why where an event cannot be given to a pod. Pure.
 */
export function subjectOf(tracepoint: string, pointedTo: () => (string | undefined)[] | undefined): Subject {
  if (inTask.has(tracepoint)) return { kind: 'current' };
  if (withoutSubject.test(tracepoint))
    throw new Error(
      `tracepoint ${tracepoint} has no subject: its events belong to no task or socket, and so to no pod`,
    );
  const structs = pointedTo() ?? [];
  const [first = -1, second = -1] = positions(structs, 'task_struct', reach.task);
  if (first >= 0) return { kind: 'task', first, second };
  const [sock = -1] = positions(structs, 'sock', reach.sock);
  const [skb = -1] = positions(structs, 'sk_buff', reach.skb);
  if (sock >= 0 || skb >= 0) return { kind: 'sock', sock, skb };
  if (structs.includes('request') || structs.includes('bio'))
    throw new Error(
      `tracepoint ${tracepoint} is about a block request, which this version cannot give to a pod`,
    );
  return { kind: 'current' };
}

function positions(structs: readonly (string | undefined)[], name: string, within: number): number[] {
  return structs.slice(0, within).flatMap((struct, index) => (struct === name ? [index] : []));
}
