// What a schema allows, in words: the half of every message that says what would have been right.
import { Layer, LAYER_ID } from '../../contract/layers.js';

/** The part of JSON Schema that the contract uses. */
export interface Schema {
  /** One type, or several where null is one of them. */
  type?: string | readonly string[];
  $id?: string;
  /** The $id of a layer: a layer inside a layer. */
  $ref?: string;
  /** What a value means. */
  description?: string;
  /** What it may be, in better words than the keywords below. */
  allows?: string;
  default?: unknown;
  const?: unknown;
  enum?: readonly unknown[];
  anyOf?: readonly Schema[];
  oneOf?: readonly Schema[];
  discriminator?: { propertyName: string };
  properties?: Record<string, Schema>;
  required?: readonly string[];
  additionalProperties?: boolean | Schema;
  propertyNames?: Schema;
  maxProperties?: number;
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
}

/** What a schema stands for: the layer, where it is a reference to one. */
export const resolveReference = (schema: Schema): Schema => (schema.$ref === LAYER_ID ? (Layer as Schema) : schema);

/** Such as `an integer from 1 to 65536`, `one of valid, same`, `an object`. A schema's own words come first. */
export function describeSchema(schema: Schema): string {
  if (schema.allows !== undefined) return schema.allows;
  if (schema.$ref !== undefined) return describeSchema(resolveReference(schema));
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.length === 1 ? JSON.stringify(schema.enum[0]) : `one of ${schema.enum.join(', ')}`;
  if (schema.anyOf !== undefined) return schema.anyOf.map(describeSchema).join(' or ');
  if (schema.oneOf !== undefined) return `an object whose type is one of ${tagsOf(schema).join(', ')}`;
  switch (schema.type) {
    case 'integer':
    case 'number':
      return `${schema.type === 'integer' ? 'an integer' : 'a number'}${describeRange(schema)}`;
    case 'string':
      return `a string${describeLength(schema.minLength, schema.maxLength, 'character')}`;
    case 'array':
      return `an array${describeLength(schema.minItems, schema.maxItems, 'item')}${schema.uniqueItems ? ' without repetition' : ''}`;
    case 'boolean':
      return 'true or false';
    case 'null':
      return 'null';
    case undefined:
    default:
      return 'an object';
  }
}

/** The values that a tagged union's `type` may have. */
export function tagsOf(schema: Schema): string[] {
  return (schema.oneOf ?? []).map((branch) => String(branch.properties?.['type']?.const));
}

function describeRange({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Schema): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  const bounds = [
    ...(minimum === undefined ? [] : [`≥ ${minimum}`]),
    ...(exclusiveMinimum === undefined ? [] : [`> ${exclusiveMinimum}`]),
    ...(maximum === undefined ? [] : [`≤ ${maximum}`]),
    ...(exclusiveMaximum === undefined ? [] : [`< ${exclusiveMaximum}`]),
  ];
  return bounds.length === 0 ? '' : ` ${bounds.join(' and ')}`;
}

function describeLength(minimum: number | undefined, maximum: number | undefined, unit: string): string {
  const units = (count: number) => `${count} ${unit}${count === 1 ? '' : 's'}`;
  if (minimum !== undefined && minimum === maximum) return ` of ${units(minimum)}`;
  if (minimum !== undefined && maximum !== undefined) return ` of ${minimum} to ${units(maximum)}`;
  if (minimum !== undefined) return ` of at least ${units(minimum)}`;
  return maximum === undefined ? '' : ` of at most ${units(maximum)}`;
}
