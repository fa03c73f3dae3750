// Numbers that texts for people tell are the ones that hold.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { CRASH_LOOP_LIMIT } from '../../../lib/jobs/lifecycle.js';

const read = (path: string): string => readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8');

it.each([
  ['README.md', /(\w+) attempts in a row that die without a commit end a job as `crash_loop`/],
  ['docs/spec-reference.md', /(\w+) attempts in a row that die without a commit end the job as `crash_loop`/],
  ['lib/contract/records.ts', /(\w+) attempts in a row died without a commit/],
  ['api/cli/commands/chaos.ts', /(\w+) attempts in a row that die without a commit end a job as crash_loop/],
])('%s tells how many attempts end a job as a crash loop', (path, words) => {
  const [, told] = words.exec(read(path)) ?? [];
  expect(['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'][CRASH_LOOP_LIMIT - 1]).toBe(told?.toLowerCase());
});
