import type { SecretData } from '../../../webhook/certificates/secret.ts';
import type { BundleStore, Bundles, SecretStore, Versioned } from '../../../webhook/certificates/stores.ts';

/**
 * One object that several replicas read and write, with what the API server promises about it: a write is taken only for
 * the version that is there, one after the other. Every call lets others go first.
 */
class MemoryObject<Content> {
  readonly name: string;
  /** As the API server has it. */
  object: Versioned<Content> | undefined;
  /** Takes the place of every answer, as long as it is there. */
  failure: Error | undefined;
  /** The same for writes only. */
  readOnly: Error | undefined;
  /** Called with what is there after each change. */
  changed: (content: Content) => void = () => {};
  /** How many writes were taken. */
  written = 0;
  #version = 0;

  constructor(name: string) {
    this.name = name;
  }

  async read(): Promise<Versioned<Content> | undefined> {
    await this.#turn();
    return this.object;
  }

  protected async replace(
    version: string | undefined,
    change: (content: Content | undefined) => Content,
  ): Promise<boolean> {
    await this.#turn();
    if (this.readOnly) throw this.readOnly;
    if (this.object?.version !== version) return false;
    this.put(change(this.object?.content));
    this.written++;
    return true;
  }

  put(content: Content): void {
    this.object = { content, version: `${++this.#version}` };
    this.changed(content);
  }

  async #turn(): Promise<void> {
    await new Promise(setImmediate);
    if (this.failure) throw this.failure;
  }
}

export class MemorySecret extends MemoryObject<SecretData> implements SecretStore {
  write(data: SecretData, version: string | undefined): Promise<boolean> {
    return this.replace(version, () => data);
  }
}

export class MemoryBundles extends MemoryObject<Bundles> implements BundleStore {
  write(bundles: readonly (string | undefined)[], version: string): Promise<boolean> {
    return this.replace(version, (found = []) => found.map((bundle, index) => bundles[index] ?? bundle));
  }
}
