import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import type { NamespacePrograms } from '../../../webhook/programs/resolve.ts';
import { readProgram } from '../../../webhook/programs/resource.ts';
import { fixtures } from '../fixtures.ts';

/** The BPF resources of test/fixtures/webhook/programs/resources.yaml, as the webhook knows them. */
export const programs: NamespacePrograms = {
  resources: new Map(
    parseAllDocuments(readFileSync(new URL('programs/resources.yaml', fixtures), 'utf8')).map((document) => {
      const { metadata, spec } = document.toJS();
      return [metadata.name, readProgram(metadata.name, spec)];
    }),
  ),
};
