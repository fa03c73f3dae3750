// The file driver as plain JavaScript in a temporary folder, for tests that need it in processes of its own.

import { readdir, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import ts from 'typescript';

const REPOSITORY = join(import.meta.dirname, '../../..');

/** The path of a module that exports `makeFileStore`. The S3 driver is left out: it needs packages. */
export async function compileFileStore(folder: string): Promise<string> {
  const names = (await readdir(join(REPOSITORY, 'lib/store'))).filter((name) => name.endsWith('.ts') && !name.startsWith('s3'));
  for (const path of ['lib/errors.ts', 'lib/sha256.ts', ...names.map((name) => `lib/store/${name}`)]) {
    const target = join(folder, path.replace(/\.ts$/, '.js'));
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, transpile(await readFile(join(REPOSITORY, path), 'utf8')));
  }
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  return join(folder, 'lib/store/file.js');
}

function transpile(source: string): string {
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, verbatimModuleSyntax: true };
  return ts.transpileModule(source, { compilerOptions }).outputText;
}
