// The numbers of the tables: taken from the package's pickles once, kept beside it in the cache, and checked whenever they are read.
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TablePackage } from '../python.js';
import type { TestFunction } from './functions.js';
import { sizesOf, type Table, tableFunction } from './tables.js';

const sha256Of = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** @throws Error if the table comes out otherwise than it is defined */
export async function loadTable({ folder, meansOf }: TablePackage, table: Table): Promise<TestFunction> {
  const path = join(folder, 'means', `${table.name}.f32`);
  const kept = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return null;
  });
  if (kept !== null && sha256Of(kept) === table.sha256) return tableFunction(table, numbersIn(kept));
  const made = await meansOf(table.file, table.metric.name, sizesOf(table));
  if (sha256Of(made) !== table.sha256) throw new Error(`the table ${table.name} came out of ${table.file} with the sha256 ${sha256Of(made)}, not ${table.sha256}`);
  await mkdir(dirname(path), { recursive: true });
  // Whole or not at all, also where two benchmarks begin at once.
  const unfinished = `${path}.${process.pid}`;
  await writeFile(unfinished, made);
  await rename(unfinished, path);
  return tableFunction(table, numbersIn(made));
}

const numbersIn = (bytes: Buffer): Float32Array => Float32Array.from({ length: bytes.length / Float32Array.BYTES_PER_ELEMENT }, (_, i) => bytes.readFloatLE(i * Float32Array.BYTES_PER_ELEMENT));
