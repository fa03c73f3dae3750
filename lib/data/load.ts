// Opens the data sources of a training together: brings into memory what fits, and leaves the rest in its files.
import { loadDigits } from './digits.js';
import { defaultDataMemoryBytes, placeArrays } from './memory.js';
import { DEFAULT_MAX_BYTES, openNpz, type NpzFile } from './npz.js';
import { isStored, type DataFile, type Dataset, type OpenDataset, type ResolvedSource } from './source.js';
import { makeSynthetic } from './synthetic.js';

export interface LoadOptions {
  /** What all arrays together may take of memory. Default: a quarter of what the process may use. */
  memoryBytes?: number;
}

export interface LoadedSources {
  /** Raw, in file order, one a source. */
  sets: OpenDataset[];
  /** Closes what they are still read from. Harmless twice. */
  close(): Promise<void>;
}

/** AppError `invalid_data` (a compressed array that does not fit, too), `data_missing`, `data_changed` (the path leads elsewhere now) or `oom`. */
export async function loadSources(sources: readonly ResolvedSource[], { memoryBytes = defaultDataMemoryBytes() }: LoadOptions = {}): Promise<LoadedSources> {
  const files: DataFile[] = [];
  const close = async (): Promise<void> => void (await Promise.all(files.map((file) => file.close())));
  try {
    const opened: (Dataset | NpzFile)[] = [];
    for (const source of sources) {
      const set = source.type === 'builtin' ? await makeBuiltin(source) : await openNpz(source.path, source);
      if ('file' in set) files.push(set.file);
      opened.push(set);
    }
    const made = opened.reduce((bytes, set) => bytes + ('file' in set ? 0 : set.x.byteLength + set.y.byteLength), 0);
    const placed = placeArrays(opened.flatMap((set) => ('file' in set ? set.arrays : [])), Math.max(0, memoryBytes - made));
    const sets: OpenDataset[] = [];
    for (const set of opened) {
      if ('file' in set) {
        const [x, y] = placed.splice(0, 2) as [boolean, boolean];
        sets.push(await set.load({ x, y }));
        if (x && y) await set.file.close();
      } else sets.push(set);
    }
    return { sets, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function makeBuiltin(source: Extract<ResolvedSource, { type: 'builtin' }>): Promise<Dataset> {
  return source.name === 'digits' ? loadDigits() : makeSynthetic(source, DEFAULT_MAX_BYTES);
}

/** Whether nothing of it is in a file. */
export const isInMemory = (set: OpenDataset): set is Dataset => !isStored(set.x) && !isStored(set.y);
