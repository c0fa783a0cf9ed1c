import type { Family } from '../series/family.ts';
import { createPage, type Page } from './page.ts';

/** Writes families in the order given, as UTF-8. `constantLabels` are rendered label pairs put on every series. */
export interface Format {
  contentType: string;
  /** A piece at a time, for what is written between other work; `end` is to follow the last one. */
  write(families: Iterable<Family>, constantLabels: string): Generator<Buffer>;
  /** What a response ends with. */
  end: string;
  /** A whole response at once. */
  render(families: Iterable<Family>, constantLabels: string): Buffer;
}

/** Writes a family to the page, and yields whenever that is full. */
export type FamilyWriter = (page: Page, family: Family, constantLabels: string) => Generator<void>;

export function createFormat(contentType: string, writeFamily: FamilyWriter, end: string): Format {
  function* write(families: Iterable<Family>, constantLabels: string): Generator<Buffer> {
    const page = createPage();
    for (const family of families) {
      if (isEmpty(family)) continue;
      for (const _ of writeFamily(page, family, constantLabels)) yield page.take();
    }
    yield page.take();
  }
  return {
    contentType,
    write,
    end,
    render: (families, constantLabels) =>
      Buffer.concat([...write(families, constantLabels), Buffer.from(end)]),
  };
}

/**
 * A family whose map is empty says nothing: HELP and TYPE alone are a family without metrics, which the
 * formats do not provide for and parsers treat differently.
 */
function isEmpty({ series }: Family): boolean {
  for (const _ of series) return false;
  return true;
}
