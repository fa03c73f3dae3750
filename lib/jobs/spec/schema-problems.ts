// Turns a schema into a check whose every problem names one field, what was given and what is allowed.
// Ajv decides what is valid; this file only words it. Nothing is coerced, removed or filled in.
import { Ajv, type ErrorObject } from 'ajv';
import type { Problem } from '../../errors.js';
import { describeSchema, type Schema, tagsOf } from './describe-schema.js';
import { joinPath, showKey, showValue } from './show-value.js';

/** More than anyone reads; the rest is counted. */
const PROBLEMS_MAX = 100;

export interface Validator {
  (value: unknown): Problem[];
  /** A list or a nesting without end, because of which nothing else of the value is looked at; it is the only problem then. */
  endless(value: unknown): Problem | null;
}

/**
 * Compile once, check often. The result is empty exactly if the value is valid; it has one problem a field, and after
 * `max` of them only their number.
 */
export function makeValidator(schema: object, max = PROBLEMS_MAX): Validator {
  // a tagged union requires `type` beside branches that define it: the one thing strict mode would refuse
  const ajv = new Ajv({ allErrors: true, strict: true, strictRequired: false, allowUnionTypes: true, verbose: true, discriminator: true, ownProperties: true, coerceTypes: false, removeAdditional: false, useDefaults: false });
  ajv.addFormat('date-time', isUtcTime);
  ajv.addKeyword('allows'); // words of describe-schema.ts
  const validate = ajv.compile(schema);
  const longest = longestArray(schema);
  // an endless list would make an endless list of errors, and endless nesting an endless recursion
  const endless = (value: unknown): Problem | null => findEndless(value, longest);
  const problems = (value: unknown): Problem[] => {
    const problem = endless(value);
    if (problem !== null) return [problem];
    return validate(value) ? [] : limitProblems(oncePerField(translate(validate.errors as VerboseError[])), max);
  };
  return Object.assign(problems, { endless });
}

type VerboseError = ErrorObject<string, Record<string, unknown>, unknown>;

/** Errors inside a failed union become those of the branch that the value is closest to. */
function translate(errors: readonly VerboseError[]): Problem[] {
  const problems: Problem[][] = [];
  for (let end = errors.length; end > 0; ) {
    const error = errors[end - 1] as VerboseError;
    // Ajv reports a union after the errors of its branches
    let start = end - 1;
    if (error.keyword === 'anyOf') while (start > 0 && isInside(errors[start - 1] as VerboseError, error)) start--;
    problems.push(error.keyword === 'anyOf' ? translateUnion(error, errors.slice(start, end - 1)) : word(error));
    end = start;
  }
  return problems.reverse().flat();
}

/** Whether an error came from a branch of a union's evaluation at the same place of the value. */
function isInside(error: VerboseError, union: VerboseError): boolean {
  return error.schemaPath.startsWith(`${union.schemaPath}/`) && (error.instancePath === union.instancePath || error.instancePath.startsWith(`${union.instancePath}/`));
}

function translateUnion(union: VerboseError, inside: readonly VerboseError[]): Problem[] {
  const branches = new Map<string, VerboseError[]>();
  for (const error of inside) {
    const branch = error.schemaPath.slice(union.schemaPath.length + 1).split('/', 1)[0] as string;
    const held = branches.get(branch);
    if (held === undefined) branches.set(branch, [error]);
    else held.push(error);
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

function word(error: VerboseError): Problem[] {
  const path = pathOf(error);
  const schema = error.parentSchema as Schema;
  const { params, data } = error;
  switch (error.keyword) {
    case 'required': {
      const key = String(params['missingProperty']);
      const allowed = schema.oneOf === undefined ? allowedIn(schema.properties?.[key], key) : `one of ${tagsOf(schema).join(', ')}`;
      return [{ param: joinPath(path, key), message: `is required: ${allowed}` }];
    }
    case 'additionalProperties': {
      const key = String(params['additionalProperty']);
      return [{ param: joinPath(path, key), message: unknownKey(key, Object.keys(schema.properties ?? {})) }];
    }
    case 'discriminator': {
      const given = params['tagValue'];
      const param = joinPath(path, String(params['tag']));
      const allowed = `one of ${tagsOf(schema).join(', ')}`;
      return [{ param, message: given === undefined ? `is required: ${allowed}` : `must be ${allowed}, got ${showValue(given)}` }];
    }
    case 'propertyNames':
      return [{ param: joinPath(path, String(params['propertyName'])), message: `is not allowed as a key; allowed: ${describeSchema(schema)}` }];
    default:
      // an error of a key's own text: the propertyNames error says it
      return error.propertyName === undefined ? [mustBe(path, schema, data)] : [];
  }
}

function mustBe(param: string, schema: Schema | undefined, given: unknown): Problem {
  return { param, message: `must be ${allowedIn(schema, param.slice(param.lastIndexOf('.') + 1))}, got ${showValue(given)}` };
}

/** What a field allows; words that begin with the field's own name read on from it. */
function allowedIn(schema: Schema | undefined, key: string): string {
  const text = describeSchema(schema ?? {});
  return text.startsWith(`${key}: `) ? text.slice(key.length + 2) : text;
}

function unknownKey(key: string, known: readonly string[]): string {
  const near = known.find((candidate) => key.length > 2 && (candidate.startsWith(key) || key.startsWith(candidate) || differsByTwo(key, candidate)));
  const guess = near === undefined ? '' : ` (did you mean ${near}?)`;
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
  return [...new Map(problems.map((problem) => [problem.param, problem])).values()];
}

/** The first `max` problems, and how many more there are. */
export function limitProblems(problems: Problem[], max = PROBLEMS_MAX): Problem[] {
  if (problems.length <= max) return problems;
  return [...problems.slice(0, max), { param: '', message: `and ${problems.length - max} more problems` }];
}

/** The longest array that a schema allows anywhere; Infinity where it leaves something open. */
function longestArray(schema: Schema): number {
  // what it refers to is looked through where it stands
  if (schema.$ref !== undefined) return 0;
  const { additionalProperties: others = true, items } = schema;
  const inner = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...Object.values(schema.properties ?? {}), ...(items === undefined ? [] : [items]), ...(typeof others === 'object' ? [others] : [])];
  const isOpenObject = [schema.type].flat().includes('object') && schema.oneOf === undefined && others === true;
  const isAnything = schema.type === undefined && schema.anyOf === undefined && schema.oneOf === undefined && schema.enum === undefined && schema.const === undefined;
  const own = isOpenObject || isAnything ? Infinity : schema.type === 'array' ? (schema.maxItems ?? Infinity) : 0;
  return Math.max(own, ...inner.map(longestArray));
}

/**
 * The first array anywhere in a value that is longer than `longest`, or the first place that is nested too deeply or named by keys
 * that are too long. Without recursion: the value may be nested without end.
 */
function findEndless(value: unknown, longest: number): Problem | null {
  const open: { path: string; length: number; depth: number; value: unknown }[] = [{ path: '', length: 0, depth: 0, value }];
  const seen = new WeakSet<object>();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { path, length, depth, value: here } = next;
    if (typeof here !== 'object' || here === null || seen.has(here)) continue;
    seen.add(here);
    // Where no array belongs at all, its own field says so better.
    if (Array.isArray(here) && longest > 0 && here.length > longest) return { param: path, message: `must be an array of at most ${longest} items, got ${here.length}` };
    if (depth >= DEPTH_MAX) return { param: path, message: `is nested too deeply: a request has at most ${DEPTH_MAX} levels` };
    if (length > PATH_MAX) return { param: path, message: `is inside of keys that are too long: at most ${PATH_MAX} characters together` };
    for (const [key, item] of Object.entries(here)) if (typeof item === 'object') open.push({ path: joinPath(path, key), length: length + key.length, depth: depth + 1, value: item });
  }
  return null;
}
/** A layer inside of eight shortcuts is 28 levels down. */
const DEPTH_MAX = 40;
/** Every error of Ajv has the whole path, so this times the errors of a request has to fit into memory. */
const PATH_MAX = 1024;

/** RFC 3339 in UTC: `2026-01-31T12:00:00Z`, with or without fractions of a second. */
function isUtcTime(text: string): boolean {
  const match = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(\.\d{1,9})?(Z|\+00:00)$/.exec(text);
  if (match === null) return false;
  const time = new Date(`${match[1]}Z`);
  // the round trip refuses the 30th of February
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(match[1] as string);
}
