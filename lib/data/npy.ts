// The header of numpy's .npy format, versions 1 to 3: type, shape and where the values begin. Read as hostile input; an
// object array is a pickle, which is never opened. https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

/** The types that are read, with their bytes a value. */
export const NPY_WIDTHS = {
  '|u1': 1,
  '|i1': 1,
  '<u2': 2,
  '<i2': 2,
  '<u4': 4,
  '<i4': 4,
  '<u8': 8,
  '<i8': 8,
  '<f4': 4,
  '<f8': 8,
} as const satisfies Record<string, number>;
export type NpyType = keyof typeof NPY_WIDTHS;

export interface NpyHeader {
  type: NpyType;
  shape: readonly number[];
  /** Values: the product of the shape. */
  count: number;
  /** Bytes before the first value. */
  dataStart: number;
}

/** What numpy itself reads of a header without being told to trust it. */
const MAX_HEADER_BYTES = 10_000;
/** More than any header and what precedes it. */
export const NPY_HEADER_BOUND = MAX_HEADER_BYTES + 12;
const MAGIC = Buffer.from('\x93NUMPY', 'latin1');

/**
 * The header at the beginning of `bytes`, or null if it needs more of them (never more than NPY_HEADER_BOUND).
 * An Error says what is wrong, or that the array is of a kind that is not read.
 */
export function parseNpyHeader(bytes: Uint8Array): NpyHeader | null {
  if (MAGIC.some((byte, i) => i < bytes.length && bytes[i] !== byte)) throw new Error('it is not a .npy array');
  if (bytes.length < 12) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = bytes[6]!;
  if (version < 1 || version > 3 || bytes[7] !== 0) throw new Error(`it has .npy version ${version}.${bytes[7]}; 1.0, 2.0 and 3.0 are known`);
  const [headerStart, length] = version === 1 ? [10, view.getUint16(8, true)] : [12, view.getUint32(8, true)];
  if (length > MAX_HEADER_BYTES) throw new Error(`its header claims ${length} bytes; at most ${MAX_HEADER_BYTES} are read`);
  const dataStart = headerStart + length;
  if (bytes.length < dataStart) return null;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + headerStart, length).toString(version === 3 ? 'utf8' : 'latin1');
  const { descr, fortran, shape } = scanDict(text);
  if (descr === null) throw new Error('it is a structured array; plain numbers are needed');
  if (/^[|<>=]?O/.test(descr)) throw new Error('it is an object array, which is stored as a pickle and never opened; save plain numbers');
  if (descr.startsWith('>')) throw new Error(`its type ${descr} is big-endian; save it as ${descr.replace('>', '<')}`);
  if (!Object.hasOwn(NPY_WIDTHS, descr)) throw new Error(`its type ${JSON.stringify(descr.slice(0, 40))} is not read; ${Object.keys(NPY_WIDTHS).join(', ')} are`);
  const count = shape.reduce((product, size) => product * size, 1);
  if (!Number.isSafeInteger(count * 8)) throw new Error(`its shape [${shape.slice(0, 8).join(', ')}] has more values than can be counted`);
  if (fortran) throw new Error('its values are in Fortran order; save numpy.ascontiguousarray(…) of it');
  return { type: descr as NpyType, shape, count, dataStart };
}

/** `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }` in any order, each key once; descr is null if it is not a string. */
function scanDict(text: string): { descr: string | null; fortran: boolean; shape: number[] } {
  let rest = text.trim();
  const take = (pattern: RegExp): string | null => {
    const match = pattern.exec(rest);
    if (match === null) return null;
    rest = rest.slice(match[0].length).trimStart();
    return match.slice(1).find((group) => group !== undefined) ?? match[0];
  };
  const expect = (pattern: RegExp): string => {
    const found = take(pattern);
    if (found === null) throw new Error(`its header is not one that numpy writes, from ${JSON.stringify(rest.slice(0, 40))} on`);
    return found;
  };
  const string = (): string => expect(/^(?:'([^'\\]*)'|"([^"\\]*)")/);
  let descr: string | null | undefined;
  let fortran: boolean | undefined;
  let shape: number[] | undefined;
  expect(/^\{/);
  while (take(/^\}/) === null) {
    const key = string();
    expect(/^:/);
    if (key === 'descr' && descr === undefined) {
      if (rest.startsWith('[')) return { descr: null, fortran: false, shape: [] };
      descr = string();
    } else if (key === 'fortran_order' && fortran === undefined) fortran = expect(/^(?:True|False)/) === 'True';
    else if (key === 'shape' && shape === undefined) {
      const items = expect(/^\(([0-9, ]*)\)/).split(',').map((item) => item.trim());
      if (items.at(-1) === '') items.pop();
      if (items.some((item) => !/^(?:0|[1-9][0-9]*)$/.test(item))) throw new Error('its shape holds something else than whole numbers from 0');
      shape = items.map(Number);
    } else throw new Error(`its header has the key ${JSON.stringify(key.slice(0, 40))}, which is unknown or there twice`);
    if (!rest.startsWith('}')) expect(/^,/);
  }
  if (rest !== '' || descr === undefined || fortran === undefined || shape === undefined) throw new Error('its header lacks descr, fortran_order or shape, or goes on after them');
  return { descr, fortran, shape };
}
