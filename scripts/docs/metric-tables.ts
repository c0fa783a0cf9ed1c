import { type DocumentedFamily, probeFamilies, sidecarFamilies, webhookFamilies } from './families.ts';

/** What follows this line in docs/metrics.md is made by `npm run build:docs`. */
const mark =
  '<!-- From here on `npm run build:docs` has written this from the metric specs and the code. -->\n';

/** The document with its tables as the specs and the code have the metrics now. */
export function withMetricTables(document: string): string {
  const [head] = document.split(mark);
  const probes = [...probeFamilies].map(
    ([name, families]) =>
      `## ${name}\n\nMore on this probe: [${name}](probes/${name}.md).\n\n${table(families)}`,
  );
  return [
    `${head}${mark}`,
    ...probes,
    `## The sidecar about itself\n\nThese have \`container="bpf-sidecar"\`.\n\n${table(sidecarFamilies)}`,
    `## The webhook about itself\n\nThe webhook serves these on its own port, \`/metrics\`, over HTTPS.\n\n${table(webhookFamilies)}`,
  ].join('\n');
}

function table(families: readonly DocumentedFamily[]): string {
  return ['| Metric | Type | Labels | Meaning |', '| --- | --- | --- | --- |', ...families.map(line)]
    .join('\n')
    .concat('\n');
}

function line({ name, type, labels, help }: DocumentedFamily): string {
  return `| \`${name}\` | ${type} | ${labels.map(label).join(', ')} | ${help.replaceAll('|', '\\|')} |`;
}

function label({ name, values }: DocumentedFamily['labels'][number]): string {
  if (values.length === 0) return `\`${name}\``;
  return `\`${name}\` (${values.map((value) => `\`${value}\``).join(', ')})`;
}
