import type { SubjectChoice } from '../contract/metric-spec.ts';

/** Whom the events of a hook are about: it decides which dispatchers stand there. Numbers are arguments. */
export type Subject =
  | { kind: 'current' }
  /** One task, or two: an event is about each of them. */
  | { kind: 'task'; tasks: readonly number[] }
  /** A socket, or that of a packet where it is undefined or NULL. */
  | { kind: 'sock'; sock?: number; skb?: number }
  /** The cgroup that a block request is charged to. */
  | { kind: 'block'; request?: number; bio?: number };

/** Run in the task's own system call, always: their subject is clear without a look at the kernel's types. */
const inTask = new Set(['sys_enter', 'sys_exit']);

/**
 * Tracepoints of interrupts, timers, deferred work and memory as such. The task that is current there is
 * whoever was interrupted, or a thread of the kernel, so that counting by it would be wrong in silence.
 */
const withoutSubject =
  /^(irq_|softirq_|tasklet_|timer_|hrtimer_|tick_|itimer_|napi_|workqueue_|rcu_|ipi_|csd_|cpu_|cpuhp_|clock_|power_|mm_page_|mm_vmscan_kswapd|writeback_|dma_fence_|swiotlb_|local_timer_|reschedule_|call_function|thermal_apic_|error_apic_|x86_platform_ipi|vector_|nmi_|mce_)/;

/** How many arguments the dispatchers can look at. */
const reach = { task_struct: 4, sock: 4, sk_buff: 3, request: 2, bio: 2 } as const;

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
  const arguments_ = (struct: keyof typeof reach) =>
    structs.slice(0, reach[struct]).flatMap((name, index) => (name === struct ? [index] : []));
  const tasks = arguments_('task_struct').slice(0, 2);
  if (tasks.length > 0) return { kind: 'task', tasks };
  const [sock] = arguments_('sock');
  const [skb] = arguments_('sk_buff');
  if (sock !== undefined || skb !== undefined) return { kind: 'sock', ...defined({ sock, skb }) };
  const [request] = arguments_('request');
  const [bio] = arguments_('bio');
  if (request !== undefined || bio !== undefined) return { kind: 'block', ...defined({ request, bio }) };
  return { kind: 'current' };
}

/**
 * Of a function of the kernel, by what its arguments point to: a socket or packet when it has one, for such functions run
 * in soft interrupts too, else the current task. A task among the arguments is as likely the one that is asked
 * about. Pure.
 */
export function functionSubjectOf(pointedTo: readonly (string | undefined)[] = []): Subject {
  const sock = pointedTo.slice(0, reach.sock).indexOf('sock');
  const skb = pointedTo.slice(0, reach.sk_buff).indexOf('sk_buff');
  if (sock < 0 && skb < 0) return { kind: 'current' };
  return { kind: 'sock', ...(sock >= 0 && { sock }), ...(skb >= 0 && { skb }) };
}

function defined(positions: Record<string, number | undefined>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(positions).filter((entry): entry is [string, number] => entry[1] !== undefined),
  );
}

/** Of a program on a function of the kernel: what its spec chooses, else functionSubjectOf. */
export function functionSubject(
  { subject }: { subject?: SubjectChoice },
  pointedTo: readonly (string | undefined)[] | undefined,
): Subject {
  return chosenSubject(subject, () => pointedTo) ?? functionSubjectOf(pointedTo);
}

/**
 * The subject that a spec chooses instead of what the hook tells; undefined when it chooses none, or the whole node. Throws
 * an Error when the argument is nothing that belongs to a pod.
 */
export function chosenSubject(
  choice: SubjectChoice | undefined,
  pointedTo: () => readonly (string | undefined)[] | undefined,
): Subject | undefined {
  if (choice === undefined || choice === 'node') return undefined;
  if (choice === 'current') return { kind: 'current' };
  const index = Number(choice.slice('arg'.length));
  const struct = pointedTo()?.[index];
  const kind = Object.keys(reach).find((name) => name === struct) as keyof typeof reach | undefined;
  if (kind === undefined || index >= reach[kind])
    throw new Error(
      `the subject cannot be ${choice}, which is ${struct === undefined ? 'no pointer to a struct' : `a struct ${struct}`}: it must be one of the first arguments and point to ${Object.keys(reach).join(', ')}`,
    );
  if (kind === 'task_struct') return { kind: 'task', tasks: [index] };
  if (kind === 'sock') return { kind: 'sock', sock: index };
  if (kind === 'sk_buff') return { kind: 'sock', skb: index };
  return { kind: 'block', [kind]: index };
}
