/** One batch read of a map: `count` entries, densely packed. The buffers are reused by the next read. */
export interface MapEntries {
  count: number;
  keys: Buffer;
  values: Buffer;
  /** Bytes of a key. */
  keySize: number;
  /** Bytes of a value, or of one copy of it in a per-CPU map. */
  valueSize: number;
  /** Values per entry: 1, or one per possible CPU in a per-CPU map, where each begins at a multiple of 8. */
  copies: number;
  /** How many of them, at the end, are what containers that are gone have left: past events, and no present state. */
  departed?: number;
}
