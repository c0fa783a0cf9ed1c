import { callback } from './call.ts';
import { libbpf, libc } from './native.ts';

const WARNING = 0;
const maxLine = 64 * 1024;
const maxCaptured = 256 * 1024;

const line = Buffer.alloc(maxLine);
let captured: string[] | undefined;
let capturedLength = 0;

/**
 * Called by libbpf for each message. The va_list comes as what it is passed as on x86-64 and arm64, a
 * pointer, and goes on to vsnprintf. It must never throw.
 */
const print = callback(['int', 'pointer', 'pointer'], (level = 0, format = 0, args = 0) => {
  if (level !== WARNING || !captured || capturedLength > maxCaptured) return 0;
  const length = libc.vsnprintf(line, maxLine, format, args);
  const text = line.toString('utf8', 0, Math.max(0, Math.min(length, maxLine - 1))).replace(/^libbpf: /, '');
  captured.push(text);
  capturedLength += text.length;
  return 0;
});

/**
 * Runs `action` and returns its result with the warnings that libbpf printed meanwhile, the verifier's log
 * among them; outside of this libbpf is silent.
 */
export function captureLog<T>(action: () => T): { result: T; log: string } {
  captured = [];
  capturedLength = 0;
  // Set each time, not once: only what a living function refers to is safe from the garbage collector.
  libbpf.libbpf_set_print(print);
  try {
    const result = action();
    return { result, log: captured.join('') };
  } finally {
    libbpf.libbpf_set_print(null);
    captured = undefined;
  }
}
