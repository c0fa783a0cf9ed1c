import { join } from 'node:path';

const build = join(import.meta.dirname, '../build');

/**
 * How the image runs Node for the sidecar. The heap of a few MiB gets bounds that V8 would not choose by itself;
 * its helper threads would have little to do; TurboFan is left out because its code alone would bring 5 MiB of
 * Node into memory, and Maglev makes the scrape fast enough.
 */
export const sidecarFlags = [
  '--max-old-space-size=32',
  '--max-semi-space-size=1',
  '--v8-pool-size=0',
  '--no-turbofan',
];

/** How the image starts the bundled sidecar. */
export const sidecarCommand = [process.execPath, ...sidecarFlags, join(build, 'sidecar/bpf-sidecar.cjs')];
