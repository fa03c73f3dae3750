// Writes a schema's defaults into a value that is valid against it, as a copy with the schema's order of keys.
import { resolveReference, type Schema } from './describe-schema.js';

/** A deep copy of `value` with the default of every absent key. `value` has to be valid: no key of it is checked here. */
export function fillDefaults(schema: Schema, value: unknown): unknown {
  if (schema.$ref !== undefined) return fillDefaults(resolveReference(schema), value);
  if (schema.anyOf !== undefined) return fillDefaults(branchOf(schema.anyOf, value), value);
  if (schema.oneOf !== undefined) return fillDefaults(branchOf(schema.oneOf, value), value);
  if (Array.isArray(value)) return value.map((item: unknown) => fillDefaults(schema.items ?? {}, item));
  if (typeof value !== 'object' || value === null) return value;
  // fromEntries defines own keys, whatever they are called
  if (schema.properties === undefined) return Object.fromEntries(Object.entries(value));
  const given = new Map<string, unknown>(Object.entries(value));
  return Object.fromEntries(
    Object.entries(schema.properties).flatMap(([key, property]): [string, unknown][] => {
      const item = given.get(key) ?? (given.get(key) === null ? null : property.default);
      return item === undefined ? [] : [[key, fillDefaults(property, item)]];
    }),
  );
}

/** The branch of a union that a valid value belongs to: by JSON type, the tag, and which keys it has. */
function branchOf(branches: readonly Schema[], value: unknown): Schema {
  return branches.find((branch) => fits(branch, value)) ?? {};
}

function fits(branch: Schema, value: unknown): boolean {
  if (branch.oneOf !== undefined) return branch.oneOf.some((inner) => fits(inner, value));
  if (branch.type !== jsonType(value) && !(branch.type === 'number' && jsonType(value) === 'integer')) return false;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return true;
  const { properties = {}, required = [] } = branch;
  return required.every((key) => Object.hasOwn(value, key)) && Object.entries(value).every(([key, item]) => Object.hasOwn(properties, key) && hasTag(properties[key] as Schema, item));
}

const hasTag = (property: Schema, value: unknown) => property.const === undefined || property.const === value;

function jsonType(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}
