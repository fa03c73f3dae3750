// One array of a file, as every format gives it: its type and shape, where or how its values are read. What a set needs of
// its two arrays is in file-set.ts.
import type { Named } from './naming.js';
import { NPY_WIDTHS, type NpyType } from './npy.js';
import type { ByteSource } from './source.js';

/** numpy's names; IDX has its numbers big-endian. */
export const VALUE_WIDTHS = { ...NPY_WIDTHS, '>i2': 2, '>i4': 4 } as const satisfies Record<string, number>;
export type ValueType = NpyType | '>i2' | '>i4';

export interface FileArray<File extends ByteSource = ByteSource> extends Named {
  file: File;
  type: ValueType;
  shape: readonly number[];
  /** Values: the product of the shape. */
  count: number;
  /** Where `read` begins to read in the file. */
  positionBytes: number;
  /** Where the values begin, if the file holds them as they are; null: they are compressed. */
  startBytes: number | null;
  /** Gives the bytes of all values, in order, in pieces of any length. An Error says what is wrong with the array. */
  read(take: (bytes: Uint8Array) => void): Promise<void>;
}

/** Of the values, decompressed. */
export const arrayBytes = ({ type, count }: Pick<FileArray, 'type' | 'count'>): number => count * VALUE_WIDTHS[type];
