// Pieces that the other schemas are made of: ids, times, durations, strings and closed lists. Schemas have two texts: `description`
// says what a value means (the reference and OpenAPI show it), `allows` what it may be, where JSON Schema's own keywords would be
// worded badly (messages about a wrong value say it).
import Type, { type Static, type TSchema } from 'typebox';

/** 26 characters of Crockford's base 32, lower case: a ULID. */
const ULID = '[0-9a-hjkmnp-tv-z]{26}';
export const ID_PREFIXES = ['job', 'ckpt', 'swp', 'sch', 'wrk'] as const;
export type IdPrefix = (typeof ID_PREFIXES)[number];

export const idOf = (prefix: IdPrefix, texts: { description?: string } = {}) => Type.String({ pattern: `^${prefix}_${ULID}$`, allows: `an id such as ${prefix}_01j…`, ...texts });
export const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$', allows: 'a sha256 in lower-case hexadecimal' });
export const Timestamp = Type.String({ format: 'date-time', pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\\.[0-9]{1,9})?(?:Z|\\+00:00)$', allows: 'an ISO 8601 time in UTC, such as 2026-01-31T12:00:00Z' });
export const nullable = <T extends TSchema>(schema: T, texts: { description?: string } = {}) => Type.Union([schema, Type.Null()], texts);
/** A non-negative integer that JSON carries exactly. */
export const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
export const countOf = (description: string) => Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description });

export const positive = (maximum: number, texts: { description?: string } = {}) => Type.Integer({ minimum: 1, maximum, ...texts });

/** One of a closed list of strings, as JSON Schema's enum (one error names the whole list). */
export const oneOf = <const T extends readonly string[]>(values: T, options: { default?: T[number]; description?: string } = {}) =>
  Type.Unsafe<T[number]>({ type: 'string', enum: values, ...options });

/** Each value of a list and what it means, as a description has them. */
export const toldOf = (told: Readonly<Record<string, string>>): string => Object.entries(told).map(([value, text]) => `\`${value}\`: ${text}`).join('; ');

/** A union of objects told apart by their `type`: an error then names a field of the chosen branch. */
export const tagged = <const T extends readonly TSchema[]>(branches: T, options: { description?: string; default?: unknown; $id?: string } = {}) =>
  Type.Unsafe<Static<T[number]>>({ type: 'object', discriminator: { propertyName: 'type' }, required: ['type'], oneOf: branches, ...options });

export const closed = { additionalProperties: false } as const;

const TAG_LIMIT = 16;
const TAG_KEY_MAX = 64;
const TAG_VALUE_MAX = 512;
export const Tags = Type.Unsafe<Record<string, string>>({
  type: 'object',
  maxProperties: TAG_LIMIT,
  propertyNames: { type: 'string', pattern: `^[A-Za-z0-9_.-]{1,${TAG_KEY_MAX}}$` },
  additionalProperties: { type: 'string', maxLength: TAG_VALUE_MAX },
  allows: `at most ${TAG_LIMIT} tags: keys of letters, digits and _.- up to ${TAG_KEY_MAX} characters, values up to ${TAG_VALUE_MAX}`,
});

/** A type with every optional key present: what resolution makes of an input. */
export type Resolved<T> = T extends readonly (infer U)[]
  ? number extends T['length']
    ? Resolved<U>[]
    : T
  : T extends object
    ? { [K in keyof T]-?: Resolved<Exclude<T[K], undefined>> }
    : T;
