// Short texts for values that a user sent, whatever they are: for messages, never for parsing.

const TEXT_MAX = 48;
const ITEMS_MAX = 4;

/** A value as a few words: `"adma"`, `[3, 0]`, `an object {type, lr}`. Never deep, never long, never throws. */
export function showValue(value: unknown): string {
  if (Array.isArray(value)) {
    const flat = value.length <= ITEMS_MAX && value.every((item) => typeof item !== 'object' || item === null);
    return flat ? `[${value.map(showValue).join(', ')}]` : `an array of ${value.length} ${value.length === 1 ? 'item' : 'items'}`;
  }
  switch (typeof value) {
    case 'string':
      return JSON.stringify(shorten(value));
    case 'number':
    case 'boolean':
      return String(value);
    case 'undefined':
      return 'nothing';
    case 'object': {
      if (value === null) return 'null';
      const keys = Object.keys(value);
      if (keys.length === 0) return 'an empty object';
      return `an object {${keys.slice(0, ITEMS_MAX).map(showKey).join(', ')}${keys.length > ITEMS_MAX ? ', …' : ''}}`;
    }
    case 'bigint':
    case 'function':
    case 'symbol':
      return `a ${typeof value}`;
  }
}

/** A key of an object, as part of a dotted path: plain if it looks like one, else quoted and shortened. */
export function showKey(key: string): string {
  return /^[A-Za-z0-9_-]{1,64}$/.test(key) ? key : JSON.stringify(shorten(key));
}

/** `model.layers` and `2` → `model.layers.2`. */
export function joinPath(path: string, key: string): string {
  return path === '' ? showKey(key) : `${path}.${showKey(key)}`;
}

function shorten(text: string): string {
  return text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX)}…`;
}
