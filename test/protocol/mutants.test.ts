// Proof that the interleavings have teeth: a copy of the protocol with one rule taken out must violate an invariant.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { simulate, type Protocol } from './world.js';

/** Seeds tried before a mutant counts as not caught. */
const SEEDS = Number(process.env['PAWL_MUTANT_SEEDS'] ?? 6_000);
const root = join(import.meta.dirname, '../..');
/** Inside the project, so that its packages are found. */
const scratch = join(root, 'node_modules', '.protocol-mutants', String(process.pid));

interface Mutant {
  rule: string;
  file: string;
  /** Text in the source, and what stands there without the rule. */
  from: string;
  to: string;
}

const MUTANTS: Mutant[] = [
  { rule: 'a claim raises the fence', file: 'jobs/lifecycle.ts', from: 'fence: head.fence + 1,\n      attempt: claimant.attempt,', to: 'fence: head.fence,\n      attempt: claimant.attempt,' },
  { rule: 'what is read back must carry my attempt', file: 'jobs/head.ts', from: 'if (seen.head.attempt !== attempt) {', to: 'if (seen.head.attempt === null) {' },
  { rule: 'blobs lie under the writer’s own fence', file: 'jobs/names.ts', from: '/data/${padded(fence)}/${sha256}`', to: '/data/${padded(0 * fence)}/${sha256}`' },
  { rule: 'a commit leaves HEAD.retained before its blobs are deleted', file: 'jobs/commit.ts', from: 'let before = claim.head().retained;', to: 'let before = claim.head().retained;\n      for (const old of before) for (const blob of old.blobs) await store.delete(blob.key).catch(() => undefined);' },
  { rule: 'the fence is in the ticket’s id', file: 'queue/ticket.ts', from: '.g${gen}.f${fence}`', to: '.g${gen}`' },
  { rule: 'a key whose delete may still land is not written again', file: 'jobs/commit.ts', from: 'deleted.has(key) || taken.has(key)', to: 'taken.has(key)' },
  { rule: 'a new window stands on no blob of the one before', file: 'jobs/commit.ts', from: ' && !other?.blobs.some((blob) => blob.key === key)', to: '' },
  { rule: 'a commit by swap, not by overwriting', file: 'jobs/head.ts', from: 'const outcome = await deps.store.compareAndSwap(key, body, etag);', to: "const outcome = { swapped: true as const, ...(await (deps.store as unknown as { put(k: string, b: Buffer): Promise<{ etag: string }> }).put(key, body)) }; void etag;" },
  { rule: 'an ending does what is wanted', file: 'jobs/lifecycle.ts', from: "      return ended(base, 'cancelled', head.want.cause, 'cancelled', null, null, now, number);", to: '      break;' },
  { rule: 'two retained commits share no base blob', file: 'checkpoints/retention.ts', from: 'if (spare) kept.add(spare);', to: '' },
];

function compileTo(folder: string, mutant: Mutant | null): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(join(root, 'lib'), join(folder, 'lib'), { recursive: true });
  if (mutant) {
    const path = join(folder, 'lib', mutant.file);
    const source = readFileSync(path, 'utf8');
    if (!source.includes(mutant.from)) throw new Error(`${mutant.file} no longer holds: ${mutant.from}`);
    writeFileSync(path, source.replaceAll(mutant.from, mutant.to));
  }
  const files = ts.sys.readDirectory(join(folder, 'lib'), ['.ts']);
  for (const file of files) {
    const { outputText } = ts.transpileModule(readFileSync(file, 'utf8'), { compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, verbatimModuleSyntax: true } });
    writeFileSync(file.replace(/\.ts$/, '.js'), outputText);
  }
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
}

async function load(folder: string): Promise<Protocol> {
  const module = async (path: string): Promise<unknown> => import(/* @vite-ignore */ pathToFileURL(join(folder, 'lib', path)).href);
  const [commit, control, handover, head, lifecycle, reconcile, ticket, errors] = await Promise.all(
    ['jobs/commit.js', 'jobs/control.js', 'jobs/handover.js', 'jobs/head.js', 'jobs/lifecycle.js', 'jobs/reconcile.js', 'queue/ticket.js', 'errors.js'].map(module),
  );
  return { commit, control, handover, head, lifecycle, reconcile, ticket, AppError: (errors as { AppError: unknown }).AppError } as Protocol;
}

describe('without one of its rules the protocol', () => {
  beforeAll(() => mkdirSync(scratch, { recursive: true }));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  test('copied unchanged, holds', async () => {
    const folder = join(scratch, 'original');
    compileTo(folder, null);
    const protocol = await load(folder);
    for (let seed = 0; seed < 200; seed++) expect((await simulate(protocol, seed)).violations, `seed ${seed}`).toEqual([]);
  });

  test.each(MUTANTS.map((mutant, index) => ({ ...mutant, index })))('is caught: $rule', async (mutant) => {
    const folder = join(scratch, `mutant-${mutant.index}`);
    compileTo(folder, mutant);
    const protocol = await load(folder);
    for (let seed = 0; seed < SEEDS; seed++) {
      const { violations } = await simulate(protocol, seed);
      if (violations.length > 0) {
        console.log(`${mutant.rule}: seed ${seed}: ${violations[0]}`);
        return;
      }
    }
    expect.fail(`${SEEDS} interleavings did not catch it`);
  });
});
