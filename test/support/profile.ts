import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** A profile as Google's own decoder of protobuf reads it. Addresses are hexadecimal. */
export interface DecodedProfile {
  sampleTypes: string[];
  defaultSampleType: string;
  periodType: string;
  period: number;
  beganNanos: string;
  durationNanos: number;
  comments: string[];
  unknownFields: number;
  samples: DecodedSample[];
}

export interface DecodedSample {
  values: number[];
  labels: Record<string, string>;
  /** Innermost first. */
  frames: DecodedFrame[];
}

export interface DecodedFrame {
  address: string;
  functions: string[];
  mapping: { start: string; limit: string; offset: string; file: string; buildId: string } | null;
}

export function decodeProfile(compressed: Buffer): DecodedProfile {
  const { stdout, stderr, status } = spawnSync(
    '/usr/bin/python3',
    [join(import.meta.dirname, 'profile.py')],
    {
      input: compressed,
      maxBuffer: 2 ** 28,
    },
  );
  if (status !== 0) throw new Error(`the profile cannot be decoded: ${stderr}`);
  return JSON.parse(stdout.toString());
}
