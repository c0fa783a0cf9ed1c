import { createRequire } from 'node:module';
import type { RE2JS } from 're2js';

/** Whether the expression is found anywhere in the text. */
export type Matches = (text: string) => boolean;

/**
 * Compiles a regular expression in the syntax of RE2, that of Go and ebpf_exporter. Takes time linear in the
 * text, which JavaScript's own engine does not for `^(a+)+$`. Throws an Error for what is none.
 *
 * The engine takes 3 MiB of memory: it is loaded by the first expression, and few pods have one.
 */
export function compileRegexp(source: string): Matches {
  const regexp = loadEngine().compile(source);
  return (text) => regexp.matcher(text).find();
}

function loadEngine(): typeof RE2JS {
  // In the bundle `require` is there, and the engine part of it; sources that run as they are have none.
  return typeof require === 'undefined'
    ? createRequire(import.meta.filename)('re2js').RE2JS
    : require('re2js').RE2JS;
}
