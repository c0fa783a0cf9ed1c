import { callback, libbpf, libc } from './native.ts';

const WARNING = 0;
const maxLine = 64 * 1024;
const maxCaptured = 256 * 1024;

let captured: string[] | undefined;
let capturedLength = 0;

/**
 * Called by libbpf for each message. The va_list comes as what it is passed as on x86-64 and arm64, a
 * pointer, and goes on to vsnprintf. It must stay referenced as long as libbpf may call it, and never throw.
 */
const print = callback(['int', ['int', 'pointer', 'uint64']], (level, format, args) => {
  if (level !== WARNING || !captured || capturedLength > maxCaptured) return 0;
  const line = Buffer.alloc(maxLine);
  const length = libc.vsnprintf(line, maxLine, format, args);
  const text = line.toString('utf8', 0, Math.max(0, Math.min(length, maxLine - 1))).replace(/^libbpf: /, '');
  captured.push(text);
  capturedLength += text.length;
  return 0;
});

libbpf.libbpf_set_print(print);

/**
 * Runs `action` and returns its result with the warnings that libbpf printed meanwhile, the verifier's log
 * among them; outside of this libbpf is silent.
 */
export function captureLog<T>(action: () => T): { result: T; log: string } {
  captured = [];
  capturedLength = 0;
  try {
    const result = action();
    return { result, log: captured.join('') };
  } finally {
    captured = undefined;
  }
}
