/** A buffer of events that programs write to. */
export interface EventSource {
  /** Hands over every event that is there, as a part of a buffer that is valid during the call. */
  drain(add: (buffer: Buffer, start: number, end: number) => void): Drained;
  close(): void;
}

export interface Drained {
  /** How full the fullest part was, from 0 to 1. */
  fill: number;
  /** Events that the kernel says it had no room for. */
  lost: number;
}
