// Finds in a spec, as it was sent, what the specification names and this version does not have.
import { NOT_SUPPORTED, type NotSupported } from '../../contract/not-supported.js';
import { LAYER_LIMIT } from '../../contract/layers.js';
import type { Problem } from '../../errors.js';
import { joinPath, showValue } from './show-value.js';

/** One problem for each; the value may be anything. */
export function findNotSupported(spec: unknown): Problem[] {
  return NOT_SUPPORTED.flatMap((rule) => find(rule, spec, rule.path.split('.'), '', {}));
}

/** Whether a schema's problem is about something that is already refused as not supported: then it says nothing new. */
export function coverOf(notSupported: readonly Problem[]): (problem: Problem) => boolean {
  // an object of a type that is not built: nothing in it can be checked
  const whole = new Set(notSupported.map(({ param }) => (param.endsWith('.type') ? param.slice(0, -'.type'.length) : param)));
  return ({ param }) => {
    for (let path = param; path !== ''; path = path.slice(0, Math.max(0, path.lastIndexOf('.')))) if (whole.has(path)) return true;
    return false;
  };
}

function find(rule: NotSupported, value: unknown, keys: readonly string[], path: string, parent: Readonly<Record<string, unknown>>): Problem[] {
  const [key, ...rest] = keys;
  if (key === undefined) return value !== undefined && rule.matches(value, parent) ? [{ param: path, message: message(rule, value), code: 'not_supported' }] : [];
  if (typeof value !== 'object' || value === null) return [];
  // a longer list is refused for its length
  if (key === '*') return Array.isArray(value) && value.length <= LAYER_LIMIT ? value.flatMap((item, index) => find(rule, item, rest, joinPath(path, String(index)), {})) : [];
  return Object.hasOwn(value, key) ? find(rule, (value as Record<string, unknown>)[key], rest, joinPath(path, key), value as Record<string, unknown>) : [];
}

function message(rule: NotSupported, value: unknown): string {
  return `${rule.what}${rule.named ? ` ${showValue(value)}` : ''} is not supported yet`;
}
