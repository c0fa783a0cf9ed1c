import jsonpatch, { type Operation } from 'fast-json-patch';
import {
  type Document,
  isNode,
  isScalar,
  isSeq,
  parseAllDocuments,
  parseDocument,
  type SchemaOptions,
  stringify,
  visit,
} from 'yaml';
import type { Path } from './objects.ts';

/** Operations that add and remove, as the patches of admission have them. */
type Patch = readonly Operation[];

/** One document of a manifest file, which can be edited and written again. */
export interface Manifest {
  value: unknown;
  /** Applies a JSON patch (RFC 6902) that adds and removes to what is at `path`. */
  edit(path: Path, patch: Patch): void;
  /** The document's text: to the byte as it was read, unless it was edited. */
  text(): string;
}

/** Reads JSON, or YAML with any number of documents. Throws an Error whose first line says what is wrong and where. */
export function parseManifests(source: string): Manifest[] {
  return parseJson(source) ?? parseYaml(source);
}

/** Undefined when it is no JSON: YAML may begin with a brace too, and its parser has the better messages. */
function parseJson(source: string): Manifest[] | undefined {
  try {
    const value: unknown = JSON.parse(source);
    return [editedAsValue(value, source, () => `${JSON.stringify(value, null, 2)}\n`)];
  } catch {
    return undefined;
  }
}

/**
 * Reads YAML twice: as kubectl understands it (YAML 1.1: `0755` is octal, `yes` is true), and with every scalar
 * as the text that it is, so that an edited document keeps comments, order and the spelling of numbers.
 */
function parseYaml(source: string): Manifest[] {
  const documents = parseAllDocuments(source, verbatim) as Document.Parsed[];
  if (documents.length === 0) return [editedAsValue(null, source, () => source)];
  let start = 0;
  return (parseAllDocuments(source, { version: '1.1' }) as Document.Parsed[]).map((read, index, all) => {
    const [error] = read.errors;
    if (error) throw error;
    const end = index === all.length - 1 ? source.length : afterLineBreak(source, read.range[2]);
    const text = source.slice(start, end);
    start = end;
    // Through JSON, so that what an alias repeats is not shared: an edit must change one place only.
    const value: unknown = JSON.parse(JSON.stringify(read.toJS()));
    const document = documents[index]!;
    return hasAliases(document)
      ? editedAsValue(value, text, () => `${index > 0 ? '---\n' : ''}${stringify(value, written)}`)
      : editedAsNodes(value, text, document);
  });
}

/** A document that ends in an empty value ends, for the parser, before its line break. */
function afterLineBreak(source: string, offset: number): number {
  return offset + (/^\r?\n/.exec(source.slice(offset, offset + 2))?.[0].length ?? 0);
}

const verbatim: SchemaOptions = { schema: 'failsafe', customTags: ['null'] };
const written = { version: '1.1', lineWidth: 0 } as const;

/** What cannot be edited in place: JSON, and YAML in which one node stands in several places. */
function editedAsValue(value: unknown, source: string, write: () => string): Manifest {
  let edited = false;
  return {
    value,
    edit(path, patch) {
      const target = path.reduce((node, key) => (node as Record<string | number, unknown>)[key], value);
      jsonpatch.applyPatch(target, patch);
      edited ||= patch.length > 0;
    },
    text: () => (edited ? write() : source),
  };
}

function editedAsNodes(value: unknown, source: string, document: Document): Manifest {
  let edited = false;
  return {
    value,
    edit(path, patch) {
      for (const operation of patch) editNode(document, path, operation);
      edited ||= patch.length > 0;
    },
    text: () => (edited ? document.toString({ lineWidth: 0, indentSeq: !flushLists.test(source) }) : source),
  };
}

/** A list whose dashes stand right below its key. */
const flushLists = /^( *)[^\s#-][^\n]*:[ \t]*\n\1- /m;

function hasAliases(document: Document): boolean {
  let found = false;
  visit(document, {
    Alias: () => {
      found = true;
      return visit.BREAK;
    },
    Pair: (_, { key }) => {
      found ||= isScalar(key) && key.value === '<<';
    },
  });
  return found;
}

/** Applies one operation to the nodes, as `applyPatch` would to the value. */
function editNode(document: Document, base: Path, operation: Operation): void {
  const keys = operation.path.split('/').slice(1).map(jsonpatch.unescapePathComponent);
  const key = keys.pop()!;
  if (operation.op === 'remove') document.deleteIn([...base, ...keys, key]);
  else if (operation.op === 'add') addNode(document, base, keys, key, operation.value);
}

function addNode(document: Document, base: Path, keys: string[], key: string, value: unknown): void {
  const parent = document.getIn([...base, ...keys], true);
  const node = parseDocument(stringify(value, written), verbatim).contents;
  if (!isSeq(parent)) {
    document.setIn([...base, ...keys, key], node);
    return;
  }
  const index = key === '-' ? parent.items.length : Number(key);
  const first = parent.items[0];
  if (index === 0 && isNode(first) && parent.commentBefore && !first.commentBefore) {
    // The parser gives the list what was said about its first item.
    first.commentBefore = parent.commentBefore;
    parent.commentBefore = null;
  }
  if (parent.items.length === 0) parent.flow = false;
  parent.items.splice(index, 0, node);
}
