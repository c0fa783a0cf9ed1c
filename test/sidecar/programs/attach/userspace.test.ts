import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmdirSync, statSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isKnownToLack } from '../../../../scripts/kernels/since.ts';
import type { Container } from '../../../../scripts/node/sandbox.ts';
import { inodeOf, signatureOf } from '../../../../sidecar/pod/real-inode.ts';
import { counting, eventsOf, startAuthored } from '../../../support/author.ts';
import { barePodsFor } from '../../../support/bare-pod.ts';
import { compileNative } from '../../../support/native.ts';

/** The roots of containers whose images share the layer with the executable, as overlays make them. */
function makeRoots(t: TestContext, names: readonly string[]): string[] {
  const executable = compileNative(t, 'calls.c', '-static');
  const place = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
  execFileSync('mount', ['-t', 'tmpfs', 'bpf-sidecar-test', place]);
  t.after(() => {
    // With all that is mounted below.
    execFileSync('umount', ['-l', place]);
    rmdirSync(place);
  });
  const lower = join(place, 'image');
  mkdirSync(lower);
  copyFileSync(executable, join(lower, 'calls'));
  return names.map((name) => {
    const [upper, work, root] = ['upper', 'work', 'root'].map((part) => join(place, name, part));
    for (const directory of [upper!, work!, root!]) mkdirSync(directory, { recursive: true });
    const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
    execFileSync('mount', ['-t', 'overlay', '-o', options, 'bpf-sidecar-test', root!]);
    return root!;
  });
}

function start(t: TestContext, container: Container, ...argv: string[]): ChildProcess {
  const child = container.spawn(argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill());
  return child;
}

/** Has it place 37 orders. */
async function order(child: ChildProcess): Promise<void> {
  child.stdin!.write('\n');
  const [line] = await once(child.stdout!, 'data');
  assert.equal(String(line), '703\n');
}

const usdt = (programs: string) =>
  counting(
    `#include <stdbool.h>\n#include <asm/ptrace.h>\n#include <bpf/bpf_tracing.h>\n#include <bpf/usdt.bpf.h>\n${programs}`,
  );

for (const [kind, expected, program] of [
  [
    'uprobe',
    37,
    (path: string) =>
      counting(`SEC("uprobe/${path}:place_order") int f(void *ctx) { increment(); return 0; }`),
  ],
  [
    'uretprobe',
    37,
    (path: string) =>
      counting(`SEC("uretprobe/${path}:place_order") int f(void *ctx) { increment(); return 0; }`),
  ],
  [
    'uprobe at an offset',
    37,
    (path: string) =>
      counting(`SEC("uprobe/${path}:place_order+0x0") int f(void *ctx) { increment(); return 0; }`),
  ],
  [
    'uprobe.multi',
    42,
    (path: string) =>
      counting(`SEC("uprobe.multi/${path}:place_*") int f(void *ctx) { increment(); return 0; }`),
  ],
  [
    'uretprobe.multi',
    42,
    (path: string) =>
      counting(`SEC("uretprobe.multi/${path}:place_*") int f(void *ctx) { increment(); return 0; }`),
  ],
  [
    'usdt',
    // Only amounts above 7: their argument comes through too.
    30,
    (path: string) =>
      usdt(
        `SEC("usdt/${path}:shop:order") int BPF_USDT(order, int amount) { if (amount > 7) increment(); return 0; }`,
      ),
  ],
] as const) {
  const skip = isKnownToLack(release(), kind) && `needs a kernel that has ${kind}`;
  test(`${kind}: counts what the pod's containers call, also those that start later`, { skip }, async (t) => {
    const { sandbox, sidecar, outsider, pod } = await barePodsFor(t);
    const path = compileNative(t, 'calls.c');
    const web = start(t, sandbox.addContainer('web'), path);
    await order(web);
    const probe = await startAuthored(program(path), pod);
    t.after(() => probe.close());
    assert.deepEqual(
      probe.programs.map(({ problem }) => problem),
      [undefined],
    );
    await order(web);
    assert.equal(eventsOf(probe), expected);

    const [own, foreign] = [start(t, sidecar, path), start(t, outsider, path)];
    await order(own);
    await order(foreign);
    assert.equal(eventsOf(probe), expected, 'neither the sidecar itself nor another pod');

    const later = start(t, sandbox.addContainer('later'), path);
    await order(later);
    probe.follow!();
    await order(later);
    // The file is the same, so that its first orders count too, and none counts twice.
    assert.equal(eventsOf(probe), 3 * expected);
  });
}

for (const [kind, expected, program] of [
  ...(['uprobe', 'uretprobe'] as const).map(
    (kind) =>
      [
        kind,
        37,
        counting(`SEC("${kind}//calls:place_order") int f(void *ctx) { increment(); return 0; }`),
      ] as const,
  ),
  [
    'uprobe.multi',
    42,
    counting('SEC("uprobe.multi//calls:place_*") int f(void *ctx) { increment(); return 0; }'),
  ],
  [
    'usdt',
    37,
    usdt('SEC("usdt//calls:shop:order") int BPF_USDT(order, int amount) { increment(); return 0; }'),
  ],
] as const)
  test(`${kind}: counts once what containers call whose images share a layer`, {
    // The executable is static: for that every kernel has usdt.
    skip: kind !== 'usdt' && isKnownToLack(release(), kind) && `needs a kernel that has ${kind}`,
  }, async (t) => {
    const { sandbox, pod } = await barePodsFor(t);
    const [first, second] = makeRoots(t, ['first', 'second']).map((root) =>
      start(t, sandbox.addContainer('web'), 'chroot', root, '/calls'),
    ) as [ChildProcess, ChildProcess];
    await order(first);
    await order(second);
    const probe = await startAuthored(program, pod);
    t.after(() => probe.close());
    assert.deepEqual(
      probe.programs.map(({ problem }) => problem),
      [undefined],
    );
    await order(first);
    assert.equal(eventsOf(probe), expected);
    await order(second);
    assert.equal(eventsOf(probe), 2 * expected);
  });

test('a file that a container has changed is another one than that of its image', async (t) => {
  const [first, second, third] = makeRoots(t, ['first', 'second', 'third']).map((root) =>
    join(root, 'calls'),
  ) as [string, string, string];
  const image = statSync(join(first, '../../../image/calls'));
  assert.equal(inodeOf(first), `${image.dev}-${image.ino}`);
  assert.equal(inodeOf(second), inodeOf(first));
  const signature = (path: string) => signatureOf(statSync(path, { bigint: true }));
  assert.equal(signature(second), signature(first));
  for (const path of [first, second]) chmodSync(path, 0o700);
  assert.equal(new Set([first, second, third].map(inodeOf)).size, 3);
  assert.equal(new Set([first, third].map(signature)).size, 2);
});

test('a file is found once a container has it, and left when none has', async (t) => {
  const { sandbox, pod } = await barePodsFor(t);
  const path = compileNative(t, 'calls.c');
  const probe = await startAuthored(
    counting(`SEC("uprobe/${path}:place_order") int f(void *ctx) { increment(); return 0; }`),
    pod,
  );
  t.after(() => probe.close());
  assert.deepEqual(
    probe.programs.map(({ problem }) => problem),
    [undefined],
    'it waits for a container',
  );
  const web = start(t, sandbox.addContainer('web'), path);
  await order(web);
  assert.equal(eventsOf(probe), 0);
  probe.follow!();
  await order(web);
  assert.equal(eventsOf(probe), 37);
  web.kill();
  await once(web, 'exit');
  probe.follow!();
  const again = start(t, sandbox.addContainer('again'), path);
  await order(again);
  assert.equal(eventsOf(probe), 37, 'nothing is attached');
});

for (const [name, section, problem] of [
  ['a function that is not there', 'uprobe/%:nothing', /^program f: .*calls: it has no function nothing$/],
  [
    'a file that is no executable',
    'uprobe//etc/passwd:main',
    /^program f: \/etc\/passwd: \/proc\/\d+\/root\/etc\/passwd is no ELF file$/,
  ],
  [
    'a section without a function',
    'uprobe/%',
    /^program f: section "uprobe\/.*" must be uprobe\/<file>:<function>$/,
  ],
  [
    'a probe that is not there',
    'usdt/%:shop:nothing',
    /^program f: .*calls: program f cannot be attached to USDT probe shop:nothing of .*: ENOENT/,
  ],
  ['a pattern that fits nothing', 'uprobe.multi/%:zzz*', /^program f: .*calls: it has no function zzz\*$/],
] as const) {
  test(`${name} is told`, async (t) => {
    const { sandbox, pod } = await barePodsFor(t);
    const path = compileNative(t, 'calls.c');
    await order(start(t, sandbox.addContainer('web'), path));
    const code = usdt(
      `SEC("${section.replace('%', path)}") int f(struct pt_regs *ctx) { increment(); return bpf_usdt_arg_cnt(ctx) > 9; }`,
    );
    const probe = await startAuthored(
      section.startsWith('usdt')
        ? code
        : counting(`SEC("${section.replace('%', path)}") int f(void *ctx) { increment(); return 0; }`),
      pod,
    );
    t.after(() => probe.close());
    assert.match(probe.programs[0]!.problem!, problem);
  });
}
