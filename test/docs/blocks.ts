import { read } from './documents.ts';

/** A block of code of a document, fenced or indented, with the comments right before it. */
export interface Block {
  /** Of its first line, counted from 1. */
  line: number;
  /** Of a fence; empty where there is none, and for indented blocks. */
  language: string;
  /** What is between `<!-- ` and ` -->`. */
  comments: string[];
  text: string;
}

/**
 * The blocks of a document in their order. A comment `<!-- shell: …` of several lines is one too, which readers do not see:
 * its text is what comes after the first line.
 */
export function blocksOf(path: string): Block[] {
  return findBlocks(read(path));
}

export function findBlocks(document: string): Block[] {
  const lines = document.split('\n');
  const blocks: Block[] = [];
  let comments: string[] = [];
  /** What is indented is a block only after an empty line, and else goes on with a list. */
  let afterEmpty = true;
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    const first = at + 1;
    const until = (isEnd: (line: string) => boolean) => {
      const taken: string[] = [];
      while (++at < lines.length && !isEnd(lines[at]!)) taken.push(lines[at]!);
      return taken;
    };
    const add = (block: Omit<Block, 'line' | 'comments'>) => {
      blocks.push({ line: first, comments, ...block });
      comments = [];
    };
    const [, language] = /^ *```(\w*)/.exec(line) ?? [];
    if (language !== undefined) {
      const taken = until((line) => /^ *```$/.test(line));
      add({ language, text: dedent(taken) });
    } else if (line.startsWith('<!--')) {
      const [, comment = ''] = /^<!-- (.*?)(?: -->)?$/.exec(line) ?? [];
      const hidden = line.endsWith('-->') ? [] : until((line) => line === '-->');
      comments.push(comment);
      if (hidden.length > 0 && comment.startsWith('shell:')) add({ language: '', text: dedent(hidden) });
    } else if (afterEmpty && line.startsWith('    ')) {
      const taken = [line, ...until((line) => line !== '' && !line.startsWith('    '))];
      at--;
      add({ language: '', text: dedent(taken) });
    } else if (line !== '') comments = [];
    afterEmpty = lines[at] === '';
  }
  return blocks;
}

/** Without what all lines are indented by, and without empty lines at the end. */
function dedent(lines: readonly string[]): string {
  const depths = lines.filter((line) => line !== '').map((line) => /^ */.exec(line)![0].length);
  const depth = Math.min(...depths);
  return `${lines
    .map((line) => line.slice(depth))
    .join('\n')
    .trimEnd()}\n`;
}
