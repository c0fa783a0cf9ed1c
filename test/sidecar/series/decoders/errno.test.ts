import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import { decode } from './decode.ts';

const name = (errno: number) =>
  decode(Buffer.from(Uint32Array.of(errno).buffer).toString('hex'), 'uint', 'errno');

test('errno gives the names that the C library knows', () => {
  // Two names for one number: the kernel's own is given.
  const aliases: Record<string, string> = { EWOULDBLOCK: 'EAGAIN', ENOTSUP: 'EOPNOTSUPP' };
  for (const [known, errno] of Object.entries(constants.errno))
    assert.equal(name(errno), aliases[known] ?? known);
});

test('errno names what the kernel uses internally', () => {
  const table = [
    [512, 'ERESTARTSYS'],
    [513, 'ERESTARTNOINTR'],
    [514, 'ERESTARTNOHAND'],
    [516, 'ERESTART_RESTARTBLOCK'],
  ] as const;
  for (const [errno, text] of table) assert.equal(name(errno), text);
});

test('errno marks numbers that are not in use', () => {
  for (const errno of [0, 41, 134, 515, 4095]) assert.equal(name(errno), `unknown:${errno}`);
});
