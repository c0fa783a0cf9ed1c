import type { Family } from '../series/family.ts';
import type { Format } from './format.ts';
import { renderNumber, renderSamples } from './samples.ts';

/** The text format of Prometheus, version 0.0.4. */
export const textFormat: Format = {
  contentType: 'text/plain; version=0.0.4; charset=utf-8',
  render: (families, constantLabels) =>
    Array.from(families, (family) => renderFamily(family, constantLabels)).join(''),
};

/**
 * A family whose map is empty says nothing: HELP and TYPE alone are a family without metrics, which the
 * format does not provide for and parsers treat differently.
 */
function renderFamily(family: Family, constantLabels: string): string {
  const samples = renderSamples(family, constantLabels, renderNumber);
  if (samples === '') return '';
  const { name, help } = family;
  const type = family.type === 'unknown' ? 'untyped' : family.type;
  return `${help && `# HELP ${name} ${escapeHelp(help)}\n`}# TYPE ${name} ${type}\n${samples}`;
}

function escapeHelp(help: string): string {
  return help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
