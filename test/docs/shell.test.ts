import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { findBlocks } from './blocks.ts';
import { documents } from './documents.ts';
import { follow, hasStepsAt } from './session.ts';
import { commandsOf, patternOf, stepOf, stepsOf } from './steps.ts';

/** What a document has for whoever reads its source. */
const stepsIn = (document: string) => findBlocks(document).map(stepOf);

test('every shell block of the documents says where it is run', () => {
  for (const document of documents) stepsOf(document);
});

describe('the shell blocks that need no cluster do and print what the documents say', () => {
  for (const document of documents.filter((document) => hasStepsAt(document, 'here')))
    test(document, () => follow(document, 'here'));
});

describe('shell blocks that no test can run', () => {
  for (const document of documents)
    for (const step of stepsOf(document))
      if (step.kind === 'nowhere') test(`${document}:${step.line}`, { skip: step.reason }, () => {});
});

test('a block without a mark, and a mark that says nothing, are told', () => {
  for (const [document, message] of [
    ['```sh\nls\n```\n', /^a shell block needs a comment/],
    ['Look:\n\n    $ ls\n', /^a shell block needs a comment/],
    ['Look:\n\n    kubectl get pods\n', /^commands alone belong in a fence/],
    ['<!-- shell: nowhere -->\n\n```sh\nls\n```\n', /needs a reason/],
    ['<!-- shell: there -->\n\n```sh\nls\n```\n', /^there is no place "there"/],
    ['<!-- shell: here, twice -->\n\n```sh\nls\n```\n', /^there is no option "twice"/],
    ['<!-- shell: here, stays -->\n\n```sh\nls\n```\n', /^what stays is one command after "\$ "/],
    ['<!-- shell: here -->\n\nWords come between.\n\n```sh\nls\n```\n', /^a shell block needs a comment/],
  ] as const)
    assert.throws(() => stepsIn(document), { message }, document);
});

test('a block may be indented, fenced, or in a comment that readers do not see', () => {
  const document = `Files:

<!-- shell: here node -->

    $ ls
    a

    b
    $ ls \\
        -l
    …

<!-- file: a.yaml -->

\`\`\`yaml
a: 1
\`\`\`

<!-- shell: node, numbers vary
kubectl wait pod
-->
`;
  assert.deepEqual(stepsIn(document), [
    {
      kind: 'shell',
      places: ['here', 'node'],
      numbersVary: false,
      stays: false,
      commands: [
        { command: 'ls', shown: 'a\n\nb' },
        { command: 'ls \\\n    -l', shown: '…\n' },
      ],
    },
    { kind: 'file', name: 'a.yaml', text: 'a: 1\n' },
    {
      kind: 'shell',
      places: ['node'],
      numbersVary: true,
      stays: false,
      commands: [{ command: 'kubectl wait pod\n' }],
    },
  ]);
});

test('a transcript begins with a command', () => {
  assert.deepEqual(commandsOf('$ true\n$ echo a\na\n'), [
    { command: 'true', shown: '' },
    { command: 'echo a', shown: 'a\n' },
  ]);
  assert.throws(() => commandsOf('a\n$ echo a\n'), /begins with a command/);
});

for (const [shown, printed, matches, options] of [
  ['a\nb\n', 'a\nb\n', true],
  ['a\n', 'a\nb\n', false],
  ['a\n', 'a\nb\n', true, { begins: true }],
  ['a\n…\nd\n', 'a\nb\nc\nd\n', true],
  ['a\n…\nd\n', 'a\nd\n', true],
  ['…\nd\n', 'a\nb\n', false],
  ['a … d (e)\n', 'a b c d (e)\n', true],
  ['a 1\n', 'a 2\n', false],
  ['web    7  1.5 s\n', 'web  4,711  2 s\n', true, { numbersVary: true }],
  ['web 7\n', 'web x\n', false, { numbersVary: true }],
] as const)
  test(`${JSON.stringify(shown)} ${matches ? 'stands' : 'does not stand'} for ${JSON.stringify(printed)}${options ? ` with ${Object.keys(options)}` : ''}`, () =>
    assert.equal(patternOf(shown, options).test(printed), matches));
