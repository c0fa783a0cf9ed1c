import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Ajv } from 'ajv';
import { mutateValue } from '../../../scripts/fuzz/mutate-value.ts';
import { createRandom } from '../../../scripts/fuzz/random.ts';
import { readMetricSpec } from '../../../sidecar/contract/metric-spec.ts';
import { metricSpecSchema } from '../../../sidecar/contract/metric-spec-schema.ts';
import { parseYaml } from '../../../sidecar/contract/metric-spec-yaml.ts';
import { everything } from './everything.ts';
import { refused } from './refused-specs.ts';

const root = join(import.meta.dirname, '../../..');
const published = JSON.parse(readFileSync(join(root, 'docs/metric-spec.schema.json'), 'utf8'));
const validate = new Ajv({ strictTypes: false, strictTuples: false }).compile(published);

/** What only the checks know of, because it is between several fields or in another language. */
const beyondSchemas =
  /clash on|are kept for our own|labels: the last label, and no other, must be the bucket|must have the decoder uint and no other|must be larger than|bucket_max: must be a whole number|decoder before it must be uint|in the syntax of RE2|regular expressions in its labels|\.name: "\w+" is there twice|tells the state|at most 8760h/;

/** One sentence of the checks where they refuse. */
function refusal(spec: unknown): string | undefined {
  try {
    readMetricSpec(spec, 'my.yaml');
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function assertAgreement(spec: unknown): void {
  const message = refusal(spec);
  const valid = validate(spec);
  const said = `${JSON.stringify(spec)}\nchecks: ${message}\nschema: ${JSON.stringify(validate.errors?.slice(-3))}`;
  if (message === undefined) assert.ok(valid, said);
  else if (!beyondSchemas.test(message)) assert.ok(!valid, said);
}

test('the published schema is the one of the checks', () => {
  assert.deepEqual(published, JSON.parse(JSON.stringify(metricSpecSchema())), 'run npm run build:docs');
});

test('the schema accepts the built-in specs and one with everything', () => {
  const files = readdirSync(join(root, 'bpf')).filter((file) => file.endsWith('.yaml'));
  const specs = files.map((file) => parseYaml(readFileSync(join(root, 'bpf', file), 'utf8'), file));
  for (const spec of [...specs, parseYaml(everything, 'everything.yaml')]) {
    assert.equal(refusal(spec), undefined);
    assert.ok(validate(spec), JSON.stringify(validate.errors));
  }
});

test('the schema refuses what the checks refuse, but for what no schema can say', () => {
  for (const [, yaml] of refused) {
    let spec: unknown;
    try {
      spec = parseYaml(yaml, 'my.yaml');
    } catch {
      continue;
    }
    assertAgreement(spec);
  }
});

test('what no schema can say is only what is between several fields or in another language', () => {
  const beyond = refused.filter(([, yaml]) => {
    try {
      return validate(parseYaml(yaml, 'my.yaml'));
    } catch {
      return false;
    }
  });
  assert.deepEqual(
    beyond.map(([what]) => what),
    [
      'a name of our own metrics behind another prefix',
      'a program twice',
      'a name of our own metrics',
      'the same name twice',
      'a name that an OpenMetrics counter family has',
      'a name that a histogram writes',
      'a name that a gauge histogram writes',
      'a name that a summary writes',
      'a name that tells when a counter was created',
      'a name that an OpenMetrics info family has',
      'a label in the place of the state',
      'a label twice',
      'a broken expression',
      'an expression that RE2 does not have',
      'more expressions than can be compiled in a moment',
      'a label twice, once as it is and once to make room for ours',
      'bucket_max below bucket_min',
      'keys that would be printed alike',
      'a duration without end',
      'the bucket not last',
    ],
  );
});

test('the schema and the checks agree on 5,000 specs broken at random', () => {
  const seeds = ['bpf/tcp.yaml', 'bpf/syscalls.yaml'].map((file) => readFileSync(join(root, file), 'utf8'));
  const specs = [...seeds, everything, everything, everything].map((yaml) => parseYaml(yaml, 'seed.yaml'));
  const random = createRandom(3);
  const outcomes = { refused: 0, accepted: 0 };
  for (let index = 0; index < 5_000; index++) {
    const spec = mutateValue(random.pick(specs), random);
    assertAgreement(spec);
    outcomes[refusal(spec) === undefined ? 'accepted' : 'refused']++;
  }
  assert.ok(outcomes.refused > 1_000 && outcomes.accepted > 100, JSON.stringify(outcomes));
});
