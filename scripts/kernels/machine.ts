import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { command, type Tree } from './images.ts';

/** Lines of the console that are shown when something goes wrong. */
const lastLines = 40;
const memory = '3072';

export interface Machine {
  /** The kernel's file. */
  kernel: string;
  root: string;
  project: string;
  /** The file for what it says. */
  console: string;
}

/**
 * Boots a kernel, which runs test/kernels/init.sh, until it switches the machine off, with a line for each result. What it
 * writes to its disks is gone afterwards. Rejects with the end of its console when it takes longer than `seconds`, or
 * does not come to its end.
 */
export async function boot(
  { kernel, root, project, console }: Machine,
  tools: Tree,
  seconds: number,
  onResult: (line: string) => void,
): Promise<void> {
  // Built into each of these kernels are NVMe and ext4, so that none needs an initial file system; virtio is not.
  const init = [
    'mount -t proc proc /proc',
    'mount -t devtmpfs devtmpfs /dev',
    'modprobe -aq virtio_pci virtio_blk',
    'mount -o ro /dev/vda /project',
    'exec sh /project/test/kernels/init.sh',
  ].join('; ');
  const commandLine = `console=ttyS0 panic=-1 quiet root=/dev/nvme0n1 rw lsm=bpf init=/bin/sh -- -c "${init}"`;
  const drive = (id: string, file: string) => [
    '-drive',
    `if=none,id=${id},file=${file},format=raw,snapshot=on`,
  ];
  const [file, ...argv] = [
    ...command(tools, 'usr/bin/qemu-system-x86_64'),
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none', '-nic', 'none'],
    ...['-L', tools.path('usr/share/qemu'), '-L', tools.path('usr/share/seabios')],
    ...['-machine', 'pc', '-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', memory],
    ...['-kernel', kernel, '-append', commandLine],
    ...[...drive('root', root), '-device', 'nvme,drive=root,serial=root'],
    ...[...drive('project', project), '-device', 'virtio-blk-pci,drive=project'],
    ...['-serial', `file:${console}`, '-serial', 'stdio'],
  ];
  const child = spawn(file!, argv, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { QEMU_MODULE_DIR: tools.path('usr/lib/x86_64-linux-gnu/qemu') },
  });
  const patience = setTimeout(() => child.kill(), seconds * 1000);
  const results = createInterface({ input: child.stdout });
  results.on('line', onResult);
  const [complaint, [code]] = await Promise.all([
    text(child.stderr),
    once(child, 'close'),
    once(results, 'close'),
  ]);
  clearTimeout(patience);
  const said = existsSync(console) ? readFileSync(console, 'utf8').split(/\r?\n/).filter(isTelling) : [];
  if (code === 0 && said.some((line) => line.includes('reboot: Power down'))) return;
  const problem =
    code === null ? `it did not come to its end in ${seconds} s` : `it ended with exit code ${code}`;
  throw new Error([`${problem}: ${complaint.trim()}`, ...said.slice(-lastLines)].join('\n  '));
}

/** False for the registers and the stacks of the kernel. */
function isTelling(line: string): boolean {
  return line !== '' && !/^\[ *[\d.]+\] (?: |Code:|[A-Z0-9]{3}:)/.test(line);
}
