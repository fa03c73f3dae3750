// A document that a command is given: JSON or YAML, from a file or from standard input.
import { readFile } from 'node:fs/promises';
import { isMap, parseDocument } from 'yaml';
import { messageOf } from '../../lib/errors.js';
import { type CliContext, usageError } from './context.js';
import { markRealBounds } from './sweep-file.js';

/** How a file is called in errors. */
export const fileName = (file: string): string => (file === '-' ? 'standard input' : file);

/** @param file `-` for standard input. @throws AppError invalid_request that names it */
export async function readText(file: string, context: Pick<CliContext, 'readInput'>): Promise<string> {
  try {
    return file === '-' ? await context.readInput() : await readFile(file, 'utf8');
  } catch (error) {
    throw usageError(fileName(file), `cannot be read: ${messageOf(error)}`);
  }
}

/** @param file `-` for standard input. @throws AppError invalid_request that names it */
export async function readDocument(file: string, context: Pick<CliContext, 'readInput'>): Promise<unknown> {
  return parseText(await readText(file, context), fileName(file));
}

/** YAML 1.2, of which JSON is a part; what is said is the parser's first error, with its line. */
export function parseText(text: string, name: string): unknown {
  // a tag may make a value that JSON has not
  const document = parseDocument(text, { schema: 'core', version: '1.2', prettyErrors: true, customTags: [] });
  const [error] = [...document.errors, ...document.warnings];
  if (error) throw usageError(name, `is neither JSON nor YAML: ${error.message.split('\n', 1)[0]!.replace(/:$/, '')}`);
  // of a schedule
  const sweep = isMap(document.contents) ? document.contents.get('sweep') : null;
  if (isMap(sweep)) markRealBounds(sweep);
  try {
    return document.toJS({ maxAliasCount: 100 }) as unknown;
  } catch (problem) {
    throw usageError(name, `is neither JSON nor YAML: ${messageOf(problem)}`);
  }
}
