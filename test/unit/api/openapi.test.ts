// The OpenAPI document has the schemas' meanings, and only keywords of JSON Schema.
import { expect, it } from 'vitest';
import { openApiDocument } from '../../../api/openapi.js';
import { JOB_STATUSES } from '../../../lib/contract/job.js';
import { STATUS_REASONS } from '../../../lib/contract/records.js';

interface Part {
  description?: string;
  properties?: Record<string, Part>;
}
const document = openApiDocument('test') as { components: { schemas: Record<string, Part> }; paths: Record<string, { get: { parameters: { name: string; description?: string }[] } }> };

it('says what fields and parameters mean, or at least what they may be', () => {
  const { JobSpec, Layer, Job } = document.components.schemas;
  expect(JobSpec!.properties!['training']!.properties!['accum_iters']!.description).toBe('micro-batches in a window: what makes one update');
  expect((Layer as { oneOf: Part[] }).oneOf[0]!.properties!['filters']!.description).toBe('channels of the output');
  expect(Job!.properties!['id']!.description).toBe('an id such as job_01j…');
  expect(document.paths['/v1/jobs']!.get.parameters.find(({ name }) => name === 'status')!.description).toBe('only with one of these statuses, with commas between');
  for (const rows of ['events', 'logs', 'metrics']) expect(document.paths[`/v1/jobs/{id}/${rows}`]!.get.parameters.find(({ name }) => name === 'after')!.description).toMatch(/^those after this number: .* Beyond the end the page is empty/);
});

it('says what each status and reason of a job means, and each field of its result', () => {
  const { status, status_reason: reason, result } = document.components.schemas['Job']!.properties!;
  for (const value of JOB_STATUSES) expect(status!.description).toMatch(new RegExp(`\`${value}\`: \\w`));
  for (const value of STATUS_REASONS) expect(reason!.description).toMatch(new RegExp(`\`${value}\`: \\S`));
  const { properties } = (result as { anyOf: Part[] }).anyOf[0]!;
  expect(Object.keys(properties!)).toContain('unused_micro_batches');
  // `allows` would stand in for a hash
  for (const [field, { description }] of Object.entries(properties!)) expect([field, description]).toEqual([field, expect.not.stringMatching(/^a sha256/)]);
});

it('keeps our own keywords to itself', () => {
  expect(JSON.stringify(document)).not.toContain('"allows":');
});
