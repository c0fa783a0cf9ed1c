import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from './clock.ts';
import type { Leaf } from './leaf.ts';
import { type Credentials, dated, readPair } from './pem.ts';
import type { Look, Source } from './source.ts';

/** Milliseconds between two looks. Looking is cheap, and sees what notifications of a file system may not tell. */
const interval = 10_000;

/** How often a pair that does not fit is read again at once: it may have been replaced between the two files. */
const attempts = 2;

/**
 * A certificate that somebody else renews: `tls.crt` and `tls.key` of a directory, as cert-manager writes them into a
 * Secret and kubelet mounts it. A pair is taken only when it is whole.
 */
export class DirectorySource implements Source {
  readonly #directory: string;
  readonly #clock: Pick<Clock, 'now'>;

  constructor(directory: string, clock: Pick<Clock, 'now'>) {
    this.#directory = directory;
    this.#clock = clock;
  }

  async look(held: Leaf | undefined): Promise<Look> {
    const again = this.#clock.now() + interval;
    try {
      const leaf = await this.#read(held);
      return { ...(leaf && { leaf }), remarks: [], again };
    } catch (error) {
      const sentence = `${this.#directory}: ${(error as Error).message}`;
      return { remarks: [{ about: this.#directory, sentence, failure: 'directory' }], again };
    }
  }

  /** Resolves to nothing when the files are those that are held. */
  async #read(held: Leaf | undefined): Promise<Leaf | undefined> {
    for (let attempt = 1; ; attempt++) {
      const pair = await this.#readFiles();
      if (pair.cert === held?.cert && pair.key === held.key) return undefined;
      try {
        return { ...pair, notAfter: dated(readPair(pair).certificate).notAfter };
      } catch (error) {
        if (attempt === attempts) throw error;
      }
    }
  }

  async #readFiles(): Promise<Credentials> {
    const [cert, key] = await Promise.all(
      ['tls.crt', 'tls.key'].map((name) => readFile(join(this.#directory, name), 'utf8')),
    );
    return { cert: cert!, key: key! };
  }
}
