import { join } from 'node:path';

const build = join(import.meta.dirname, '../build');

/**
 * How the image runs Node for the sidecar. The heap of a few MiB gets bounds that V8 would not choose by itself;
 * its helper threads would have little to do. Of V8's compilers only Maglev is left, which makes the scrape fast enough:
 * TurboFan's own code would bring 5 MiB of Node into memory, and Sparkplug makes 1 MiB of code that is seldom run.
 */
export const sidecarFlags = [
  '--max-old-space-size=32',
  '--max-semi-space-size=1',
  '--v8-pool-size=0',
  '--no-turbofan',
  '--no-sparkplug',
  '--expose-gc',
];

/**
 * With which environment: one heap of malloc for all threads, few of which do anything, and nothing of it kept for each of
 * them. It is half a MiB less.
 */
export const sidecarEnvironment = {
  GLIBC_TUNABLES: 'glibc.malloc.arena_max=1:glibc.malloc.tcache_count=0',
};

/** How the image starts the bundled sidecar. */
export const sidecarCommand = [process.execPath, ...sidecarFlags, join(build, 'sidecar/bpf-sidecar.cjs')];

/**
 * How the image runs Node for the webhook, and with which environment. What a review leaves behind is gone before it can grow
 * old in a young generation of this size. After a million, by 100 connections, 118 MiB are resident; 120 with 8, 157 with 2.
 */
export const webhookFlags = ['--max-semi-space-size=4'];
export const webhookEnvironment = { GLIBC_TUNABLES: 'glibc.malloc.arena_max=1' };

/** How the image starts the bundled webhook. */
export const webhookCommand = [process.execPath, ...webhookFlags, join(build, 'webhook/bpf-sidecar.cjs')];
