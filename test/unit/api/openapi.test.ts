// The OpenAPI document has the schemas' meanings, and only keywords of JSON Schema.
import { expect, it } from 'vitest';
import { openApiDocument } from '../../../api/openapi.js';

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

it('keeps our own keywords to itself', () => {
  expect(JSON.stringify(document)).not.toContain('"allows":');
});
