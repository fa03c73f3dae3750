// Opens the data sources of a training together: brings into memory what fits, and leaves the rest in its files, unpacked if
// need be.
import { loadDigits } from './digits.js';
import { factsOf, loadSet, MAX_UNPACKED_BYTES, type FileSet } from './file-set.js';
import { openIdx } from './idx.js';
import { openDataFile } from './locations.js';
import { defaultDataMemoryBytes, placeArrays } from './memory.js';
import { openNpz } from './npz.js';
import { isStored, type DataFile, type Dataset, type OpenDataset, type PinnedFile, type ResolvedSource } from './source.js';
import { makeSynthetic } from './synthetic.js';
import { makeUnpack } from './unpack.js';

export interface LoadOptions {
  /** What all arrays together may take of memory. Default: a quarter of what the process may use. */
  memoryBytes?: number;
  /** An existing folder for what is compressed and does not fit; nothing has a name in it for longer than a moment. */
  unpackDir: string;
}

export interface LoadedSources {
  /** Raw, in file order, one a source. */
  sets: OpenDataset[];
  /** Closes what they are still read from. Harmless twice. */
  close(): Promise<void>;
}

/** AppError `invalid_data`, `data_missing`, `data_changed` (the path leads elsewhere now, or a file is not the one that was hashed), `store_full` (no room to unpack) or `oom`. */
export async function loadSources(sources: readonly ResolvedSource[], { memoryBytes = defaultDataMemoryBytes(), unpackDir }: LoadOptions): Promise<LoadedSources> {
  const files: DataFile[] = [];
  const close = async (): Promise<void> => void (await Promise.all(files.map((file) => file.close())));
  const open = async ({ path, identity }: PinnedFile): Promise<DataFile> => {
    const file = await openDataFile(path, identity);
    files.push(file);
    return file;
  };
  const unpack = makeUnpack(unpackDir);
  try {
    const opened: (Dataset | FileSet<DataFile>)[] = [];
    for (const source of sources) opened.push(source.type === 'builtin' ? await makeBuiltin(source) : await openSet(source, open));
    const made = opened.reduce((bytes, set) => bytes + (isMade(set) ? set.x.byteLength + set.y.byteLength : 0), 0);
    const placed = placeArrays(opened.flatMap((set) => (isMade(set) ? [] : factsOf(set))), Math.max(0, memoryBytes - made));
    const sets: OpenDataset[] = [];
    for (const set of opened) {
      if (isMade(set)) {
        sets.push(set);
        continue;
      }
      const [x, y] = placed.splice(0, 2) as [boolean, boolean];
      const loaded = await loadSet(set, { x, y }, unpack);
      files.push(...loaded.unpacked);
      sets.push(loaded.set);
      await leaveOrKeep([set.x.file, set.y.file], loaded.set);
    }
    return { sets, close };
  } catch (error) {
    await close();
    throw error;
  }
}

const isMade = (set: Dataset | FileSet<DataFile>): set is Dataset => 'description' in set;

async function openSet(source: Exclude<ResolvedSource, { type: 'builtin' }>, open: (file: PinnedFile) => Promise<DataFile>): Promise<FileSet<DataFile>> {
  if (source.type === 'npz') return openNpz(await open(source), source);
  return openIdx(await open(source.images), await open(source.labels)); // one after the other: whoever fails closes what is open
}

/** Closes the files that nothing of the set is in any more. What was read of any of them is what was opened. */
async function leaveOrKeep(files: readonly DataFile[], { x, y }: OpenDataset): Promise<void> {
  for (const file of files) file.assertUnchanged();
  const kept = [x, y].map((array) => (isStored<unknown>(array) ? array.file : null));
  for (const file of files) if (!kept.includes(file)) await file.close();
}

async function makeBuiltin(source: Extract<ResolvedSource, { type: 'builtin' }>): Promise<Dataset> {
  return source.name === 'digits' ? loadDigits() : makeSynthetic(source, MAX_UNPACKED_BYTES);
}

/** Whether nothing of it is in a file. */
export const isInMemory = (set: OpenDataset): set is Dataset => !isStored(set.x) && !isStored(set.y);
