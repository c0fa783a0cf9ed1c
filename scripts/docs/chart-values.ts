import { parse } from 'yaml';

/** What follows this line in the chart's README is made by `npm run build:docs`. */
const mark = '<!-- From here on `npm run build:docs` has written this from values.yaml. -->\n';

/** The chart's README with the table of its values as values.yaml has them now. */
export function withChartValues(readme: string, values: string): string {
  const [head] = readme.split(mark);
  const defaults: unknown = parse(values);
  const rows = documentedValues(values).map(({ path, meaning }) => {
    const preset = JSON.stringify(path.reduce<unknown>((value, key) => (value as never)[key], defaults));
    return `| \`${path.join('.')}\` | \`${preset}\` | ${meaning.replaceAll('|', '\\|')} |`;
  });
  return `${head}${mark}\n## Values\n\n${['| Value | Default | Meaning |', '| --- | --- | --- |', ...rows].join('\n')}\n`;
}

/** The values that have a comment which begins with `# --`, in the order of the file. */
export function documentedValues(values: string): { path: string[]; meaning: string }[] {
  const documented: { path: string[]; meaning: string }[] = [];
  const parents: { indent: number; key: string }[] = [];
  let meaning: string[] | undefined;
  for (const line of values.split('\n')) {
    const [, begun, text] = /^ *# (-- )?(.*)$/.exec(line) ?? [];
    if (begun) meaning = [text!];
    else if (text !== undefined) meaning?.push(text);
    const [, indent, key] = /^( *)(\w+):/.exec(line) ?? [];
    if (key === undefined) continue;
    while (parents.length > 0 && parents.at(-1)!.indent >= indent!.length) parents.pop();
    parents.push({ indent: indent!.length, key });
    if (meaning) documented.push({ path: parents.map((parent) => parent.key), meaning: meaning.join(' ') });
    meaning = undefined;
  }
  return documented;
}
