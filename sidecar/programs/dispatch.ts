import { closeSync, openSync } from 'node:fs';
import { attempt } from '../attempt.ts';
import type { SubjectChoice } from '../contract/metric-spec.ts';
import type { Link } from '../libbpf/link.ts';
import {
  closeObject,
  findMap,
  loadObject,
  mapFd,
  openObject,
  type Program,
  programFd,
  setConstants,
} from '../libbpf/object.ts';
import { readObject } from '../objects.ts';
import type { PodCgroup } from '../pod/cgroups.ts';
import type { AttachFamily, Attachment } from './attach/family.ts';
import { type Dispatcher, type Hooks, holdDispatcher, keepDispatcher, looksForPod } from './hooks/hooks.ts';
import { putProgram, TailCallRefused } from './hooks/lane.ts';

/** What a family says of its dispatchers; the rest is the same for all. */
export interface Dispatching {
  accepts(program: Program): boolean;
  /** As of AttachFamily. */
  subjects?: readonly SubjectChoice[];
  /**
   * What stands in: one dispatcher for each subject of the hook. Throws an Error that says why where an event of
   * the hook cannot be given to a pod.
   */
  dispatchers(program: Program): readonly DispatcherKind[];
  /**
   * What programs on the same hook of the node have in common, and no others, where its sidecars can share dispatchers:
   * parts with slashes between them.
   */
  hook?(program: Program): string;
  /** What the hook is told when the event is not for the program: that nothing is to change. */
  verdict: number;
  /** Makes the opened dispatcher fit for the program's hook, before it is loaded. */
  prepare(dispatcher: Program, program: Program): void;
  /** `pod` is the open directory of the pod cgroup. */
  link(dispatcher: Program, program: Program, pod: number): Link;
}

/** An object of bpf/dispatchers, which decides the subject, and its constants. */
export interface DispatcherKind {
  object: string;
  constants: Readonly<Record<string, number>>;
  /** In what events that it gives to a pod are only approximately the pod's. */
  remark?: string;
}

/** The program's place in a dispatcher that stands in the pod cgroup, where there is only one. */
const onlySlot = 0;

/**
 * A family whose programs are never attached themselves: dispatchers stand in for each on its hook and call it
 * for events of the pod alone, the sidecar's own left out.
 */
export function behindDispatcher(dispatching: Dispatching): AttachFamily {
  const { accepts, subjects = [] } = dispatching;
  return {
    accepts,
    subjects,
    attach(program, pod, hooks) {
      if (program.subject === 'node') return attachNodeWide(dispatching, program, pod);
      const attachments: Attachment[] = [];
      const detach = () => {
        for (const attachment of attachments) attachment.detach();
      };
      try {
        const kinds = dispatching.dispatchers(program);
        for (const kind of kinds) attachments.push(attachDispatcher(dispatching, kind, program, pod, hooks));
        const refreshing = attachments.flatMap(({ refresh }) => refresh ?? []);
        const enabling = attachments.flatMap(({ enable }) => enable ?? []);
        const standIns = () =>
          attachments.flatMap((attachment) => attachment.standIns?.() ?? [programFd(program)]);
        const remarks = [...kinds, ...attachments].flatMap(({ remark }) => remark ?? []);
        const refresh = () => {
          for (const action of refreshing) action();
        };
        const enable = (on: boolean) => {
          for (const action of enabling) action(on);
        };
        return {
          detach,
          standIns,
          ...(remarks.length > 0 && { remark: remarks.join('; ') }),
          ...(refreshing.length > 0 && { refresh }),
          ...(enabling.length > 0 && { enable }),
        };
      } catch (error) {
        detach();
        throw error;
      }
    },
  };
}

/** The program itself, without a dispatcher. */
function attachNodeWide(dispatching: Dispatching, program: Program, pod: PodCgroup): Attachment {
  if (!pod.mayObserveNode)
    throw new Error(
      `program ${program.name}: its subject is node, and the administrator does not let programs of this pod run for the whole node (--allow-node-wide of the webhook)`,
    );
  const link = linkTo(dispatching, program, program, pod);
  return { detach: link.close };
}

function attachDispatcher(
  dispatching: Dispatching,
  kind: DispatcherKind,
  program: Program,
  pod: PodCgroup,
  hooks: Hooks,
): Attachment {
  const start = () => startDispatcher(dispatching, kind, program, pod);
  const hook = dispatching.hook?.(program);
  if (hook !== undefined) {
    return hooks.share(`${hook}/${nameOf(kind)}`, start, pod, programFd(program));
  }
  const dispatcher = attempt(start);
  if (dispatcher instanceof TailCallRefused) {
    // Only those in the pod cgroup put the program in at once: there the kernel has found the pod already.
    const { close, enable } = linkTo(dispatching, program, program, pod);
    return {
      detach: close,
      ...(enable && { enable }),
      remark: `it sees the sidecar's own events too, because ${dispatcher.message}`,
    };
  }
  if (dispatcher instanceof Error) throw dispatcher;
  return keepDispatcher(dispatcher, pod, programFd(program));
}

/** `task_argument/task2/unless_task1` */
function nameOf({ object, constants }: DispatcherKind): string {
  const positions = Object.entries(constants).flatMap(([name, value]) =>
    value < 0 ? [] : `${name}${value}`,
  );
  return [object, ...positions].join('/');
}

/** Loads a dispatcher and puts it on the program's hook. */
function startDispatcher(
  dispatching: Dispatching,
  kind: DispatcherKind,
  program: Program,
  pod: PodCgroup,
): Dispatcher {
  const object = openObject(`dispatcher ${kind.object}`, readObject(`dispatchers/${kind.object}`));
  try {
    // Errors are to name the program that it stands in for.
    const dispatcher = { ...object.programs[0]!, name: program.name };
    const { verdict } = dispatching;
    const inPod = { sidecar: pod.sidecar, container_level: pod.level + 1 };
    setConstants(object, { ...kind.constants, verdict, ...inPod });
    dispatching.prepare(dispatcher, program);
    loadObject(object, `program ${program.name}: the dispatcher for its hook`);
    if (!looksForPod(object)) putProgram(mapFd(findMap(object, 'programs')), onlySlot, programFd(program));
    return holdDispatcher(object, linkTo(dispatching, dispatcher, program, pod));
  } finally {
    closeObject(object);
  }
}

function linkTo(dispatching: Dispatching, dispatcher: Program, program: Program, pod: PodCgroup): Link {
  const directory = openSync(pod.path, 'r');
  try {
    return dispatching.link(dispatcher, program, directory);
  } finally {
    closeSync(directory);
  }
}
