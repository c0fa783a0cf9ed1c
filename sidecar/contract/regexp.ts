import { createRequire } from 'node:module';
import type { RE2JS } from 're2js';

export interface Regexp {
  /** Whether it is found anywhere in the text. */
  finds(text: string): boolean;
  /**
   * What it has found, if anything: its group where it has one, else what it matches. One with several groups gives
   * nothing, as in ebpf_exporter.
   */
  extract(text: string): string | undefined;
}

/**
 * Compiles a regular expression in the syntax of RE2, that of Go and ebpf_exporter. Takes time linear in the
 * text, which JavaScript's own engine does not for `^(a+)+$`. Throws an Error for what is none.
 *
 * The engine takes 3 MiB of memory: it is loaded by the first expression, and few pods have one.
 */
export function compileRegexp(source: string): Regexp {
  const regexp = loadEngine().compile(source);
  return {
    finds: (text) => regexp.matcher(text).find(),
    extract(text) {
      const matcher = regexp.matcher(text);
      const groups = matcher.groupCount();
      return groups <= 1 && matcher.find() ? (matcher.group(groups) ?? '') : undefined;
    },
  };
}

function loadEngine(): typeof RE2JS {
  // In the bundle `require` is there, and the engine part of it; sources that run as they are have none.
  return typeof require === 'undefined'
    ? createRequire(import.meta.filename)('re2js').RE2JS
    : require('re2js').RE2JS;
}
