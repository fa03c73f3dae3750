// Turns a schema into a check whose every problem names one field, what was given and what is allowed.
// Ajv decides what is valid; this file only words it. Nothing is coerced, removed or filled in.
import { Ajv, type ErrorObject } from 'ajv';
import type { Problem } from '../../errors.js';
import { describeSchema, type Schema, tagsOf } from './describe-schema.js';
import { joinPath, showKey, showValue } from './show-value.js';

/** More than anyone reads; the rest is counted. */
const PROBLEMS_MAX = 100;

/** Compile once, check often. The result is empty exactly if the value is valid. */
export function makeValidator(schema: object): (value: unknown) => Problem[] {
  const ajv = new Ajv({ allErrors: true, strict: true, verbose: true, discriminator: true, ownProperties: true, coerceTypes: false, removeAdditional: false, useDefaults: false });
  ajv.addFormat('date-time', isUtcTime);
  const validate = ajv.compile(schema);
  const longest = longestArray(schema as Schema);
  return (value) => {
    // an endless list would make an endless list of errors
    const tooLong = findLongerArray(value, longest);
    if (tooLong !== null) return [tooLong];
    if (validate(value)) return [];
    return limit(oncePerField(translate(validate.errors as VerboseError[])));
  };
}

type VerboseError = ErrorObject<string, Record<string, unknown>, unknown>;

/** Errors inside a failed union become those of the branch that the value is closest to. */
function translate(errors: readonly VerboseError[]): Problem[] {
  const outer = errors.find((error) => error.keyword === 'anyOf' && !errors.some((other) => other !== error && other.keyword === 'anyOf' && isInside(error, other)));
  if (outer === undefined) return errors.map(word);
  const inside = errors.filter((error) => error !== outer && isInside(error, outer));
  const rest = errors.filter((error) => error !== outer && !inside.includes(error));
  return [...translateUnion(outer, inside), ...translate(rest)];
}

/** Whether an error came from a branch of a union's evaluation at the same place of the value. */
function isInside(error: VerboseError, union: VerboseError): boolean {
  return error.schemaPath.startsWith(`${union.schemaPath}/`) && (error.instancePath === union.instancePath || error.instancePath.startsWith(`${union.instancePath}/`));
}

function translateUnion(union: VerboseError, inside: readonly VerboseError[]): Problem[] {
  const branches = new Map<string, VerboseError[]>();
  for (const error of inside) {
    const branch = error.schemaPath.slice(union.schemaPath.length + 1).split('/', 1)[0] as string;
    branches.set(branch, [...(branches.get(branch) ?? []), error]);
  }
  const atRoot = (error: VerboseError) => error.instancePath === union.instancePath;
  const isOfType = (branch: readonly VerboseError[]) => !branch.some((error) => atRoot(error) && error.keyword === 'type');
  const strangeness = (branch: readonly VerboseError[]) => branch.filter((error) => atRoot(error)).length * 1000 + branch.length;
  const closest = [...branches.values()].filter(isOfType).sort((a, b) => strangeness(a) - strangeness(b))[0];
  const isPlain = typeof union.data !== 'object' || union.data === null;
  const isWhole = closest?.every((error) => atRoot(error) && !NAMES_A_KEY.has(error.keyword)) ?? true;
  if (closest === undefined || isPlain || isWhole) return [mustBe(pathOf(union), union.parentSchema, union.data)];
  return translate(closest);
}

/** Keywords whose error is about a key of the value, not about the value. */
const NAMES_A_KEY = new Set(['required', 'additionalProperties', 'discriminator', 'propertyNames']);

function word(error: VerboseError): Problem {
  const path = pathOf(error);
  const schema = error.parentSchema as Schema;
  const { params, data } = error;
  switch (error.keyword) {
    case 'required': {
      const key = String(params['missingProperty']);
      if (schema.oneOf !== undefined) return { param: joinPath(path, key), message: `is required: one of ${tagsOf(schema).join(', ')}` };
      return { param: joinPath(path, key), message: `is required: ${describeSchema(schema.properties?.[key] ?? {})}` };
    }
    case 'additionalProperties': {
      const key = String(params['additionalProperty']);
      return { param: joinPath(path, key), message: unknownKey(key, Object.keys(schema.properties ?? {})) };
    }
    case 'discriminator': {
      const tag = String(params['tag']);
      const allowed = `one of ${tagsOf(schema).join(', ')}`;
      const given = params['tagValue'];
      return { param: joinPath(path, tag), message: given === undefined ? `is required: ${allowed}` : `must be ${allowed}, got ${showValue(given)}` };
    }
    case 'propertyNames':
      return { param: joinPath(path, String(params['propertyName'])), message: `is not allowed as a key: ${describeSchema(schema)}` };
    default:
      // errors of a key's name carry the name as their data; the propertyNames error says it better
      return error.propertyName === undefined ? mustBe(path, schema, data) : { param: joinPath(path, error.propertyName), message: `is not allowed as a key: ${showValue(error.propertyName)}` };
  }
}

function mustBe(param: string, schema: Schema | undefined, given: unknown): Problem {
  const allowed = describeSchema(schema ?? {});
  // descriptions that begin with the field's own name read on from it
  const key = param.slice(param.lastIndexOf('.') + 1);
  const text = allowed.startsWith(`${key}: `) ? allowed.slice(key.length + 2) : allowed;
  return { param, message: `must be ${text}, got ${showValue(given)}` };
}

function unknownKey(key: string, known: readonly string[]): string {
  const near = known.find((candidate) => candidate.startsWith(key) || key.startsWith(candidate) || differsByTwo(key, candidate));
  const guess = near === undefined || key === '' ? '' : ` (did you mean ${near}?)`;
  return `is not a known key${guess}; known keys: ${known.map(showKey).join(', ')}`;
}

/** Whether two words differ by at most two inserted, removed or changed letters, told by their common ends. */
function differsByTwo(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 2) return false;
  const shorter = Math.min(a.length, b.length);
  let start = 0;
  while (start < shorter && a[start] === b[start]) start++;
  let end = 0;
  while (end < shorter - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  return Math.max(a.length, b.length) - start - end <= 2;
}

function pathOf(error: VerboseError): string {
  const keys = error.instancePath.split('/').slice(1);
  return keys.reduce((path, key) => joinPath(path, key.replaceAll('~1', '/').replaceAll('~0', '~')), '');
}

function oncePerField(problems: readonly Problem[]): Problem[] {
  const first = new Map<string, Problem>();
  for (const problem of problems) if (!first.has(problem.param)) first.set(problem.param, problem);
  return [...first.values()];
}

function limit(problems: Problem[]): Problem[] {
  if (problems.length <= PROBLEMS_MAX) return problems;
  return [...problems.slice(0, PROBLEMS_MAX), { param: '', message: `and ${problems.length - PROBLEMS_MAX} more problems` }];
}

/** The longest array that a schema allows anywhere. */
function longestArray(schema: Schema): number {
  const inner = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...Object.values(schema.properties ?? {}), ...(schema.items === undefined ? [] : [schema.items])];
  const own = schema.type === 'array' ? (schema.maxItems ?? Infinity) : 0;
  return Math.max(own, ...inner.map(longestArray));
}

/** The first array anywhere in a value that is longer than `longest`. Without recursion: the value may be nested without end. */
function findLongerArray(value: unknown, longest: number): Problem | null {
  const open: { path: string; depth: number; value: unknown }[] = [{ path: '', depth: 0, value }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { path, depth, value: here } = next;
    if (typeof here !== 'object' || here === null) continue;
    if (Array.isArray(here) && here.length > longest) return { param: path, message: `must be an array of at most ${longest} items, got ${here.length}` };
    if (depth < DEPTH_MAX) for (const [key, item] of Object.entries(here)) open.push({ path: joinPath(path, key), depth: depth + 1, value: item });
  }
  return null;
}
/** Deeper than any schema here; below it Ajv does not look either. */
const DEPTH_MAX = 16;

/** RFC 3339 in UTC: `2026-01-31T12:00:00Z`, with or without fractions of a second. */
function isUtcTime(text: string): boolean {
  const match = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(\.\d{1,9})?(Z|\+00:00)$/.exec(text);
  if (match === null) return false;
  const time = new Date(`${match[1]}Z`);
  // the round trip refuses the 30th of February
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(match[1] as string);
}
