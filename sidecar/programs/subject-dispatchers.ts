import type { DispatcherKind } from './dispatch.ts';
import type { Subject } from './subject.ts';

const none = -1;

/**
 * How the arguments of a hook come to a program: with types, as plain numbers to the verifier, or in the registers of the
 * CPU at a function's entry.
 */
type Passing = 'typed' | 'untyped' | 'registers';

const prefixes: Record<Passing, string> = { typed: '', untyped: 'raw_', registers: 'kprobe_' };

/**
 * The dispatchers for a subject, of bpf/dispatchers. An event about two tasks has one for each, and the second
 * leaves to the first what that has given to the same pod.
 */
export function dispatchersOf(subject: Subject, passing: Passing = 'typed'): DispatcherKind[] {
  const prefix = prefixes[passing];
  const remark = subject.remark !== undefined && { remark: subject.remark };
  switch (subject.kind) {
    case 'current':
      return [{ object: 'task', constants: {}, ...remark }];
    case 'task':
      return subject.tasks.map((task, index) => ({
        object: `${prefix}task_argument`,
        constants: { task, unless_task: subject.tasks[index - 1] ?? none },
        ...remark,
      }));
    case 'sock': {
      const { sock = none, skb = none } = subject;
      return [{ object: `${prefix}sock_argument`, constants: { sock, skb }, ...remark }];
    }
    case 'block': {
      const { request = none, bio = none } = subject;
      return [{ object: `${prefix}block_argument`, constants: { request, bio }, ...remark }];
    }
  }
}
