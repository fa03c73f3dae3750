// docs/spec-reference.md is what the schemas say now. PAWL_WRITE_DOCS=1 writes it anew.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { SHORTEST, specReference } from '../../../infra/docs/spec-reference.js';
import { ACTIVATIONS, INITIALIZERS } from '../../../lib/contract/layers.js';
import { NOT_SUPPORTED } from '../../../lib/contract/not-supported.js';
import { OVERLAP_POLICIES, ScheduleInput } from '../../../lib/contract/schedule.js';
import { JobSpecSchema } from '../../../lib/contract/spec.js';
import { DISTRIBUTIONS, METHODS, Parameter, SweepSpecSchema } from '../../../lib/contract/sweep.js';
import { LOSSES } from '../../../lib/contract/training.js';
import { resolveReference, type Schema } from '../../../lib/jobs/spec/describe-schema.js';
import { resolveSpec } from '../../../lib/jobs/spec/resolve.js';
import { parseText } from '../../../api/cli/document-file.js';
import { parseSweepFile } from '../../../api/cli/sweep-file.js';
import { resolveSchedule } from '../../../lib/schedules/resolve.js';
import { resolveSweep } from '../../../lib/sweeps/resolve.js';

const FILE = fileURLToPath(new URL('../../../docs/spec-reference.md', import.meta.url));
if (process.env['PAWL_WRITE_DOCS'] === '1') writeFileSync(FILE, specReference());
const page = readFileSync(FILE, 'utf8');

/** Every object of the spec, each once. */
function objectsIn(schema: Schema, seen = new Set<Schema>()): Schema[] {
  const whole = resolveReference(schema);
  if (seen.has(whole)) return [];
  seen.add(whole);
  const inner = [...(whole.anyOf ?? []), ...(whole.oneOf ?? []), ...Object.values(whole.properties ?? {}), ...(whole.items === undefined ? [] : [whole.items])];
  return [...(whole.properties === undefined ? [] : [whole]), ...inner.flatMap((each) => objectsIn(each, seen))];
}

describe('the reference of the spec', () => {
  it('is up to date (PAWL_WRITE_DOCS=1 npx vitest run --project unit test/unit/docs writes it)', () => {
    expect(page).toBe(specReference());
  });

  it('has every field, and every value of every list', () => {
    const objects = objectsIn(JobSpecSchema as object);
    expect(objects.length).toBeGreaterThan(40);
    for (const [field, { const: value, description }] of objects.flatMap(({ properties = {} }) => Object.entries(properties))) {
      if (typeof value === 'string') expect(page).toMatch(new RegExp(`^(### ${value}|\\| \`${value}\` \\| .*)$|"type": "${value}"`, 'm'));
      else expect([field, page.includes(`| \`${field}\` | `), description]).toEqual([field, true, expect.any(String)]);
    }
    const values = objects.flatMap(({ properties = {} }) => Object.values(properties)).flatMap((property) => [property, ...(property.anyOf ?? [])]).flatMap((each) => (each.enum ?? []) as string[]);
    // `validation_…` stands for three
    for (const value of new Set([...values.filter((each) => !each.startsWith('validation_')), ...ACTIVATIONS, ...INITIALIZERS, ...LOSSES])) expect([value, new RegExp(`(?<!\\w)${value}(?!\\w)`).test(page)]).toEqual([value, true]);
    for (const { path } of NOT_SUPPORTED) expect(page).toContain(`\`${path}\``);
  });

  it('tells defaults that hang on other fields', () => {
    const defaults = (sections: object): unknown => resolveSpec({ ...SHORTEST, ...sections });
    expect(page).toContain('| `epochs` | integer from 1 to 10⁹ or `null` | `1`, or `null` with `max_updates` |');
    expect(defaults({ training: { max_updates: 5 } })).toMatchObject({ spec: { training: { epochs: null } } });
    expect(page).toContain(' | `30`, or `null` with another `every_…` |');
    for (const every of ['every_updates', 'every_micro_batches']) expect(defaults({ checkpoint: { [every]: 5 } })).toMatchObject({ spec: { checkpoint: { every_seconds: null } } });
    expect(defaults({})).toMatchObject({ spec: { training: { epochs: 1 }, checkpoint: { every_seconds: 30 } } });
  });

  it('says of pools what `same` does there', () => {
    const pooling = page.slice(page.indexOf('#### Pooling'), page.indexOf('#### Normalization'));
    expect(pooling).not.toContain('zeros around it');
    expect(pooling).toContain('what lies outside is never the largest value, and in no mean');
  });

  it('leads to no section that it does not have', () => {
    const anchors = new Set([...page.matchAll(/^#+ (.*)$/gm)].map(([, title]) => title!.toLowerCase().replaceAll(' ', '-')));
    const links = [...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor!);
    expect(links.length).toBeGreaterThan(50);
    for (const link of links) expect(anchors).toContain(link);
  });

  it('has examples that are accepted', () => {
    const examples = [...page.matchAll(/```json\n(.*?)\n```/gs)].map(([, text]) => JSON.parse(text!) as Record<string, unknown>);
    expect(examples.length).toBeGreaterThanOrEqual(10);
    for (const example of examples) expect(resolveSpec({ ...SHORTEST, ...example })).toEqual({ spec: expect.anything() as unknown });
    expect(resolveSpec(examples.at(-1))).toEqual({ spec: examples.at(-1) });
  });

  it('has every field of a sweep, and an example that is accepted', () => {
    const part = page.slice(page.indexOf('\n# The sweep spec'), page.indexOf('\n# The schedule'));
    for (const { properties: fields = {} } of objectsIn(SweepSpecSchema as object).concat(Parameter as object as Schema)) {
      for (const field of Object.keys(fields).filter((each) => each !== 'type')) expect([field, new RegExp(`\`${field}\``).test(part)]).toEqual([field, true]);
    }
    for (const value of [...DISTRIBUTIONS, ...METHODS]) expect(part).toContain(`\`${value}\``);
    const [, example] = /```yaml\n(.*?)\n```/s.exec(part)!;
    expect(resolveSweep(parseSweepFile(example!, 'the example'))).toMatchObject({ warnings: [], space: expect.anything() as unknown });
  });

  it('has every field of a schedule, and an example that is accepted', () => {
    const part = page.slice(page.indexOf('\n# The schedule'));
    const objects = objectsIn(ScheduleInput as object);
    expect(objects.length).toBeGreaterThan(1);
    for (const [field, { description }] of objects.flatMap(({ properties = {} }) => Object.entries(properties))) expect([field, part.includes(`| \`${field}\` | `), description]).toEqual([field, true, expect.any(String)]);
    for (const value of OVERLAP_POLICIES) expect(part).toContain(`\`${value}\``);
    const [, example] = /```yaml\n(.*?)\n```/s.exec(part)!;
    expect(resolveSchedule(parseText(example!, 'the example'), new Date(0))).toMatchObject({ spec: { jitter: 300, job: expect.anything() as unknown } });
  });
});
