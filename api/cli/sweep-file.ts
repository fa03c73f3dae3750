// A sweep's file, YAML or JSON, as the API takes it. What JSON cannot say is said here: a bound that is written 0.0 or 1e-3 is a real
// number, so that a parameter without a distribution is drawn from real ones, as Weights & Biases does.
import { isMap, isScalar, parseDocument, type YAMLMap } from 'yaml';
import { usageError } from './context.js';

/** @throws AppError invalid_request that names the file */
export function parseSweepFile(text: string, file: string): unknown {
  // merge keys (<<) as in files of Weights & Biases; numbers as JSON has them
  const document = parseDocument(text, { merge: true, uniqueKeys: true });
  const [problem] = document.errors;
  if (problem) throw usageError(file, `is neither YAML nor JSON: ${problem.message.split('\n')[0]}`);
  if (!isMap(document.contents)) throw usageError(file, 'is no sweep: an object is expected');
  markRealBounds(document.contents);
  try {
    return document.toJS({ maxAliasCount: 100 }) as unknown;
  } catch (error) {
    throw usageError(file, `cannot be read: ${(error as Error).message}`);
  }
}

/** Says of a sweep's parameters what JSON cannot. */
export function markRealBounds(sweep: YAMLMap): void {
  const parameters = sweep.get('parameters');
  if (isMap(parameters)) markReals(parameters);
}

/** Every parameter, in groups too, that has a bound with a decimal point or an exponent and no distribution becomes a uniform one. */
function markReals(parameters: YAMLMap): void {
  for (const { value: parameter } of parameters.items) {
    if (!isMap(parameter)) continue;
    const group = parameter.get('parameters');
    if (isMap(group)) markReals(group);
    const says = (key: string): boolean => parameter.has(key);
    if (!['distribution', 'value', 'values'].some(says) && ['min', 'max'].some((key) => isReal(parameter.get(key, true)))) parameter.set('distribution', 'uniform');
  }
}

const isReal = (bound: unknown): boolean => isScalar(bound) && typeof bound.value === 'number' && /^[-+]?[\d.]+(e[-+]?\d+)?$/i.test(bound.source ?? '') && /[.e]/i.test(bound.source ?? '');
