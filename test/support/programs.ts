import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { mountPaths, programFiles } from '../../sidecar/contract/pod.ts';
import { type ObservedPod, type ObservedPodOptions, podFor } from './pod.ts';

/** What a ConfigMap holds of a program. */
export interface Files {
  elf?: Buffer;
  yaml?: string;
}

let revisions = 0;

/** As the kubelet does: new files beside the old ones, and then a link that leads to them all at once. */
function writeConfigMap(directory: string, { elf, yaml }: Files): void {
  const revision = `..revision-${revisions++}`;
  mkdirSync(join(directory, revision), { recursive: true });
  if (elf) writeFileSync(join(directory, revision, programFiles.object), elf);
  if (yaml) writeFileSync(join(directory, revision, programFiles.spec), yaml);
  rmSync(join(directory, '..data_tmp'), { force: true });
  symlinkSync(revision, join(directory, '..data_tmp'));
  renameSync(join(directory, '..data_tmp'), join(directory, '..data'));
  for (const file of Object.values(programFiles)) {
    rmSync(join(directory, file), { force: true });
    symlinkSync(`..data/${file}`, join(directory, file));
  }
}

/** A pod that runs the programs of ConfigMaps; the BPF resources that name them are the webhook's business. */
export async function podWith(
  t: TestContext,
  programs: Record<string, Files>,
  options: ObservedPodOptions = {},
): Promise<{ pod: ObservedPod; change(name: string, files: Files): void }> {
  const root = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
  t.after(() => rmSync(root, { recursive: true }));
  const change = (name: string, files: Files) => writeConfigMap(join(root, name), files);
  for (const [name, files] of Object.entries(programs)) change(name, files);
  const pod = await podFor(t, {
    probes: 'syscalls',
    ...options,
    edit(sidecar, manifest) {
      manifest.metadata!.annotations!['bpf.sh/programs'] = Object.keys(programs).join();
      for (const name of Object.keys(programs)) {
        const volume = `program-${name}`;
        manifest.spec!.volumes!.push({ name: volume, hostPath: { path: join(root, name) } });
        sidecar.volumeMounts!.push({
          name: volume,
          mountPath: join(mountPaths.programs, name),
          readOnly: true,
        });
      }
      // As the webhook gives it to pods with programs.
      manifest.spec!.volumes!.push({ name: 'host-proc', hostPath: { path: '/proc' } });
      sidecar.volumeMounts!.push({ name: 'host-proc', mountPath: mountPaths.proc, readOnly: true });
      options.edit?.(sidecar, manifest);
    },
  });
  return { pod, change };
}
