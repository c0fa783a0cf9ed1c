import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { anyMapping, fail } from '../../sidecar/contract/checks.ts';
import { bpfGroup, bpfVersion, type Program, readProgram } from './resource.ts';

/**
 * The `BPF` resources of YAML files, where there is no API server that has them. Throws an Error of one sentence that names
 * the file.
 */
export function readProgramFiles(files: readonly string[]): Map<string, Program> {
  const programs = new Map<string, Program>();
  for (const file of files)
    for (const document of parseAllDocuments(readFile(file))) {
      const [error] = document.errors ?? [];
      if (error) fail(file, error.message.split('\n', 1)[0]!);
      const program = readResource(document.toJS(), file);
      if (programs.has(program.name)) fail(file, `there is another BPF resource "${program.name}"`);
      programs.set(program.name, program);
    }
  return programs;
}

function readFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    return fail(file, `cannot be read: ${(error as Error).message}`);
  }
}

function readResource(value: unknown, file: string): Program {
  const { apiVersion, kind, metadata, spec } = anyMapping(value, file);
  if (apiVersion !== `${bpfGroup}/${bpfVersion}` || kind !== 'BPF')
    fail(file, `must be of apiVersion ${bpfGroup}/${bpfVersion} and kind BPF`);
  const { name } = anyMapping(metadata, `${file}: metadata`);
  if (typeof name !== 'string') fail(file, 'metadata.name is missing');
  try {
    const program = readProgram(name as string, spec);
    if (program.inlineSpec === undefined) return program;
  } catch (error) {
    fail(file, (error as Error).message);
  }
  return fail(
    file,
    'spec.metrics.value: needs an API server, where the webhook keeps a copy of it; use valueFrom',
  );
}
