/** Writes docs/metric-spec.schema.json anew, when the format of metric specs has changed. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { metricSpecSchema } from '../sidecar/contract/metric-spec-schema.ts';

const file = join(import.meta.dirname, '../docs/metric-spec.schema.json');
writeFileSync(file, `${JSON.stringify(metricSpecSchema(), null, 2)}\n`);
