import { statSync } from 'node:fs';
import { attempt } from '../../attempt.ts';
import type { Program } from '../../libbpf/object.ts';
import type { PodCgroup } from '../../pod/cgroups.ts';
import { inodeOf } from '../../pod/real-inode.ts';
import { createRoots, resolveIn } from '../../pod/roots.ts';
import type { Attachment } from './family.ts';

/** An executable or library in a container of the pod. */
export interface PodFile {
  /** As we see it, through a process that runs in the container. */
  path: string;
  /** The same for containers that share the file, see inodeOf. */
  id: string;
}

/** Where a name without a slash is looked for, as libbpf does. */
const libraryDirectories = [
  ...[
    '/lib/x86_64-linux-gnu',
    '/usr/lib/x86_64-linux-gnu',
    '/lib/aarch64-linux-gnu',
    '/usr/lib/aarch64-linux-gnu',
  ],
  ...['/lib64', '/usr/lib64', '/lib', '/usr/lib', '/usr/local/lib'],
];
const programDirectories = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/local/sbin', '/usr/sbin', '/sbin'];

/**
 * Has a program work on a file of every container of the pod, from the first `follow` on, on each inode once; what no
 * container has any more is detached. `attach` puts it on one. A file that cannot be attached to is an error as long as
 * there is no other.
 */
export function attachToPodFiles(
  program: Program,
  pod: PodCgroup,
  name: string,
  attach: (file: PodFile) => Attachment,
): Attachment {
  const roots = createRoots(pod);
  const places = placesOf(name);
  const attachments = new Map<string, Attachment | Error>();

  function follow(): void {
    const files: PodFile[] = [];
    const failures: Error[] = [];
    for (const root of roots.list()) {
      const found = attempt(() => findFile(root, places));
      if (found instanceof Error) failures.push(found);
      else if (found) files.push(found);
    }
    for (const [id, attachment] of attachments) {
      if (files.some((file) => file.id === id)) continue;
      if (!(attachment instanceof Error)) attachment.detach();
      attachments.delete(id);
    }
    for (const file of files)
      if (!attachments.has(file.id))
        attachments.set(
          file.id,
          attempt(() => attach(file)),
        );
    const outcomes = [...attachments.values(), ...failures];
    const error = outcomes.find((outcome) => outcome instanceof Error);
    if (error !== undefined && outcomes.every((outcome) => outcome instanceof Error))
      throw new Error(`program ${program.name}: ${name}: ${error.message}`);
  }

  const detach = () => {
    for (const attachment of attachments.values()) if (!(attachment instanceof Error)) attachment.detach();
    attachments.clear();
  };
  const standIns = () =>
    [...attachments.values()].flatMap((attachment) =>
      attachment instanceof Error ? [] : (attachment.standIns?.() ?? []),
    );
  return { detach, follow, standIns };
}

function placesOf(name: string): string[] {
  if (name.includes('/')) return [name];
  const directories = name.includes('.so') ? libraryDirectories : programDirectories;
  return directories.map((directory) => `${directory}/${name}`);
}

function findFile(root: string, places: readonly string[]): PodFile | undefined {
  for (const place of places) {
    const path = resolveIn(root, place);
    if (path === undefined || !statSync(path, { throwIfNoEntry: false })?.isFile()) continue;
    const id = attempt(() => inodeOf(path));
    // Else it has just gone.
    if (!(id instanceof Error)) return { path, id };
  }
  return undefined;
}
