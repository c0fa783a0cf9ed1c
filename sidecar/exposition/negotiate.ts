import Negotiator from 'negotiator';
import type { Format } from './format.ts';
import { openMetricsFormat } from './openmetrics.ts';
import { textFormat } from './text.ts';

const formats = [textFormat, openMetricsFormat];

/**
 * The format that suits an Accept header best, by its q-values and parameters; text where none does.
 *
 * The parameter `escaping` of Prometheus 3 asks how to write names that are not of letters, digits and _. Ours
 * are, so every scheme gives the same output, and the parameter must not keep a format from matching.
 */
export function negotiateFormat(accept = '*/*'): Format {
  const negotiator = new Negotiator({ headers: { accept: accept.replaceAll(/;\s*escaping=[^;,]*/gi, '') } });
  const [best] = negotiator.mediaTypes(formats.map(({ contentType }) => contentType));
  return formats.find(({ contentType }) => contentType === best) ?? textFormat;
}
