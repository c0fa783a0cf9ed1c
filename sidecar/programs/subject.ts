import type { SubjectChoice } from '../contract/metric-spec.ts';

/** Whom the events of a hook are about: it decides which dispatchers stand there. Numbers are arguments. */
export type Subject = (
  | { kind: 'current' }
  /** One task, or two: an event is about each of them. */
  | { kind: 'task'; tasks: readonly number[] }
  /** A socket, or that of a packet where it is undefined or NULL. */
  | { kind: 'sock'; sock?: number; skb?: number }
  /** The cgroup that a block request is charged to. */
  | { kind: 'block'; request?: number; bio?: number }
) & {
  /** In what events that are given to a pod by it are only approximately the pod's. */
  remark?: string;
};

const byCurrentTask: Subject = {
  kind: 'current',
  remark:
    'it counts by the task that is current, and where an event comes in an interrupt or in a thread of the kernel that is not the one it is about',
};

const byPacket =
  'it misses packets that have no socket: most on their way in, and answers of the kernel itself';

/**
 * Run in the task's own system call, always: their subject is clear without a look at the kernel's types. Of
 * skb_copy_datagram_iovec it is who receives; its packet's socket is none, or the sender's.
 */
const inSystemCalls = /^(sys_(enter|exit)(_.*)?|skb_copy_datagram_iovec)$/;

/**
 * Where no argument tells the subject, the tracepoints that a task comes to itself: page faults, signals that it handles,
 * its life, file locks, the page cache and the file systems, which no interrupt enters.
 */
const inTasks =
  /^((page_fault|task|sched_process|mm_filemap|page_cache|locks|break_lease|ext4|xfs|btrfs|f2fs|erofs|fuse|nfs[34d]?|cifs|smb3|hugetlbfs|iomap|dax)_|(signal_deliver|cap_capable|emulate_vsyscall|vm_unmapped_area|exit_mmap|posix_lock_inode|flock_lock_inode|fcntl_setlk)$)/;

/**
 * Tracepoints of interrupts, timers, deferred work and memory as such. The task that is current there is
 * whoever was interrupted, or a thread of the kernel, so that counting by it would be wrong in silence.
 */
const withoutSubject =
  /^(irq_|softirq_|tasklet_|timer_|hrtimer_|tick_|itimer_|napi_poll|workqueue_|rcu_|ipi_|csd_|cpu_|cpuhp_|clock_|power_|mm_page_|mm_vmscan_kswapd|writeback_|dma_fence_|swiotlb_|local_timer_|reschedule_|call_function|thermal_apic_|error_apic_|x86_platform_ipi|vector_|nmi_|mce_)/;

/** Where packets come in, before anybody has looked for their socket; what `sk` they have is the sender's, if any. */
const beforeSockets = /^(netif_r|napi_gro_|tcp_bad_csum$)/;

/** How many arguments the dispatchers can look at. */
const reach = { task_struct: 4, sock: 4, sk_buff: 4, request: 2, bio: 2 } as const;

/**
 * Of a program on a tracepoint: what its spec chooses, else subjectOf. Throws an Error that says why where no event could
 * be given to a pod.
 */
export function tracepointSubject(
  { subject: choice }: { subject?: SubjectChoice },
  tracepoint: string,
  pointedTo: () => (string | undefined)[] | undefined,
): Subject {
  const subject = chosenSubject(choice, pointedTo) ?? subjectOf(tracepoint, pointedTo);
  if (subject.kind === 'block' && tracepoint === 'block_io_done')
    throw new Error(
      `tracepoint ${tracepoint} has no subject: its request has no bio left, which tells the pod; use block_rq_complete`,
    );
  return subject;
}

/**
 * Decides by the tracepoint's name and by what its arguments point to, see tracepointArguments. Throws an Error
 * that says why where an event cannot be given to a pod. Pure.
 */
export function subjectOf(tracepoint: string, pointedTo: () => (string | undefined)[] | undefined): Subject {
  if (inSystemCalls.test(tracepoint)) return { kind: 'current' };
  if (withoutSubject.test(tracepoint))
    throw new Error(
      `tracepoint ${tracepoint} has no subject: its events belong to no task or socket, and so to no pod`,
    );
  if (beforeSockets.test(tracepoint))
    throw new Error(
      `tracepoint ${tracepoint} has no subject: packets have no socket yet where it is, and so no pod; write SEC("cgroup_skb/ingress")`,
    );
  const structs = pointedTo() ?? [];
  const arguments_ = (struct: keyof typeof reach) =>
    structs.slice(0, reach[struct]).flatMap((name, index) => (name === struct ? [index] : []));
  const tasks = arguments_('task_struct').slice(0, 2);
  if (tasks.length > 0) return { kind: 'task', tasks };
  const [sock] = arguments_('sock');
  const [skb] = arguments_('sk_buff');
  if (sock !== undefined || skb !== undefined) return socketSubject(sock, skb);
  const [request] = arguments_('request');
  const [bio] = arguments_('bio');
  if (request !== undefined || bio !== undefined) return { kind: 'block', ...defined({ request, bio }) };
  const beyond = structs.findIndex((name) => name !== undefined && name in reach);
  if (beyond >= 0)
    throw new Error(
      `tracepoint ${tracepoint} is about the struct ${structs[beyond]} of its argument ${beyond}, and dispatchers look at the first ones only`,
    );
  return inTasks.test(tracepoint) ? { kind: 'current' } : byCurrentTask;
}

function socketSubject(sock: number | undefined, skb: number | undefined): Subject {
  return {
    kind: 'sock',
    ...(sock !== undefined && { sock }),
    ...(skb !== undefined && { skb }),
    ...(sock === undefined && { remark: byPacket }),
  };
}

/** Functions of the kernel that a task comes to in its own system call. */
const functionsInTasks = /^(__(x64|arm64|se|do)_sys_|ksys_|do_sys_|vfs_)/;

/**
 * Of a function of the kernel, by what its arguments point to: a socket or packet when it has one, for such functions run
 * in soft interrupts too, else the current task. A task among the arguments is as likely the one that is asked
 * about. Pure.
 */
export function functionSubjectOf(name: string, pointedTo: readonly (string | undefined)[] = []): Subject {
  const sock = pointedTo.slice(0, reach.sock).indexOf('sock');
  const skb = pointedTo.slice(0, reach.sk_buff).indexOf('sk_buff');
  if (sock >= 0 || skb >= 0) return socketSubject(sock < 0 ? undefined : sock, skb < 0 ? undefined : skb);
  return functionsInTasks.test(name) ? { kind: 'current' } : byCurrentTask;
}

function defined(positions: Record<string, number | undefined>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(positions).filter((entry): entry is [string, number] => entry[1] !== undefined),
  );
}

/** Of a program on a function of the kernel: what its spec chooses, else functionSubjectOf. */
export function functionSubject(
  { subject }: { subject?: SubjectChoice },
  name: string,
  pointedTo: readonly (string | undefined)[] | undefined,
): Subject {
  return chosenSubject(subject, () => pointedTo) ?? functionSubjectOf(name, pointedTo);
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
  if (kind === 'sk_buff') return socketSubject(undefined, index);
  return { kind: 'block', [kind]: index };
}
