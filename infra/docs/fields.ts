// Schemas in Markdown: an object's fields as a table, and JSON as people write it. Knows nothing of what the schemas are about.
import { describeSchema, type Schema } from '../../lib/jobs/spec/describe-schema.js';

export interface TableOptions {
  /** What resolution makes of an object without the optional fields: its defaults where the schema has none. */
  resolved?: Readonly<Record<string, unknown>>;
  /** Defaults that hang on other fields, in words. */
  told?: Readonly<Record<string, string>>;
  /** Fields that are told elsewhere. */
  omit?: readonly string[];
  /** What is allowed beside null, for fields that have a section of their own; null for the others. */
  see(field: string): string | null;
}

/** The fields of an object. */
export function fieldTable(schema: Schema, options: TableOptions): string {
  return markdownTable(['field', 'allowed', 'default', ''], rowsOf(schema, options).map(({ field, cells }) => [code(field), ...cells]));
}

/** The fields of several objects, by their types; a row that not all of them have names those that do. */
export function sharedTable(schemas: ReadonlyMap<string, Schema>, options: TableOptions): string {
  const types = [...schemas.keys()];
  const rows = new Map<string, Row & { of: string[] }>();
  for (const [type, schema] of schemas) {
    for (const row of rowsOf(schema, options)) {
      const key = JSON.stringify(row);
      rows.set(key, { ...row, of: [...(rows.get(key)?.of ?? []), type] });
    }
  }
  // rows of one field stand together, where the first of them is
  const fields = [...new Set([...rows.values()].map(({ field }) => field))];
  const sorted = [...rows.values()].sort((a, b) => fields.indexOf(a.field) - fields.indexOf(b.field));
  return markdownTable(['field', 'of', 'allowed', 'default', ''], sorted.map(({ field, of, cells }) => [code(field), ownersOf(of, types), ...cells]));
}

function ownersOf(of: readonly string[], types: readonly string[]): string {
  const others = types.filter((type) => !of.includes(type));
  if (others.length === 0) return 'all';
  return others.length < of.length ? `all but ${others.map(code).join(', ')}` : of.map(code).join(', ');
}

interface Row {
  field: string;
  /** What is allowed, the default, the meaning. */
  cells: string[];
}

function rowsOf(schema: Schema, { resolved = {}, told = {}, omit = [], see }: TableOptions): Row[] {
  return Object.entries(schema.properties ?? {}).filter(([field]) => !omit.includes(field)).map(([field, property]) => {
    const elsewhere = see(field);
    const words = elsewhere === null ? allowed(property, field) : `${takesNull(property) ? '`null` or ' : ''}${elsewhere}`;
    const fallback = schema.required?.includes(field) ? 'required' : told[field] ?? code(property.default ?? resolved[field] ?? null);
    return { field, cells: [words, fallback, property.description ?? missing(field)] };
  });
}

export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map((text) => text.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}

const takesNull = ({ type, anyOf = [] }: Schema): boolean => [type].flat().includes('null') || anyOf.some((branch) => branch.type === 'null');

/** The words of messages about wrong values, as far as they do for a table. */
function allowed(schema: Schema, field = ''): string {
  if (schema.allows !== undefined) return readable(schema.allows.startsWith(`${field}: `) ? schema.allows.slice(field.length + 2) : schema.allows);
  if (schema.const !== undefined) return code(schema.const);
  if (schema.enum !== undefined) return schema.enum.map(code).join(', ');
  if (schema.anyOf !== undefined) return schema.anyOf.map((branch) => allowed(branch)).join(' or ');
  if (schema.type === 'null') return '`null`';
  if (schema.type === 'array' && schema.items !== undefined) return `${readable(describeSchema(schema))}, each ${`a ${readable(describeSchema(schema.items))}`.replace(/^a (?=[aeiou])/, 'an ')}`;
  return readable(describeSchema(schema));
}

export const code = (value: unknown): string => `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;

/** Without its article, and with large numbers that can be read. */
const readable = (words: string): string => words.replace(/^an? /, '').replaceAll(/\b9007199254740991\b/g, '2⁵³ − 1').replaceAll(/\b1000000000\b/g, '10⁹').replaceAll(/\b(\d{1,3})(\d{3})(\d{3})\b/g, '$1,$2,$3').replaceAll(/\b(\d{2,3})(\d{3})\b/g, '$1,$2');

function missing(field: string): never {
  throw new Error(`the field ${field} has no description`);
}

/** As long as a line holds it an object stays on one. */
export function prettyJson(value: unknown, indent = '', room = 110): string {
  const line = oneLine(value);
  if (indent.length + line.length <= room || typeof value !== 'object' || value === null) return line;
  const inner = `${indent}  `;
  const lines = Array.isArray(value) ? value.map((item) => `${inner}${prettyJson(item, inner, room)}`) : Object.entries(value).map(([key, item]) => `${inner}${JSON.stringify(key)}: ${prettyJson(item, inner, room)}`);
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  return `${open}\n${lines.join(',\n')}\n${indent}${close}`;
}

function oneLine(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(oneLine).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${oneLine(item)}`);
  return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`;
}
