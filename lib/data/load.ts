// Opens the data sources of a training together: brings into memory what fits, and leaves the rest in its files, unpacked if
// need be. Each file is read once, from its beginning to its end, and hashed by the way if that is asked for.
import { AppError } from '../errors.js';
import { processMemoryBytes } from '../process-memory.js';
import { loadDigits } from './digits.js';
import { beginLoading, factsOf, MAX_UNPACKED_BYTES, type FileSet } from './file-set.js';
import type { Fingerprint } from './fingerprint.js';
import { openIdx } from './idx.js';
import { defaultDataMemoryBytes, placeArrays } from './memory.js';
import { membersIn, openNpz } from './npz.js';
import { openPinned, type OpenPin } from './pinned-file.js';
import { filesOf, isStored, type DataFile, type Dataset, type OpenDataset, pinnedIn, type PinnedFile, type ResolvedSource } from './source.js';
import { makeSynthetic, syntheticBytes } from './synthetic.js';
import { makeUnpack, type Unpack } from './unpack.js';

const MIB = 2 ** 20;

export interface LoadOptions {
  /** What all arrays together may take of memory. Default: a quarter of what the process may use. */
  memoryBytes?: number;
  /** What the job may take of it altogether: what is made up has no file to stay in, and is refused beyond that. Default: all that the process may use. */
  jobMemoryBytes?: number;
  /** An existing folder for what is compressed and does not fit; nothing has a name in it for longer than a moment. */
  unpackDir: string;
}

export interface LoadedSources {
  /** Raw, in file order, one a source. */
  sets: OpenDataset[];
  /** Of the files that were to be hashed. */
  hashed: Fingerprint[];
  /** Closes what they are still read from. Harmless twice. */
  close(): Promise<void>;
}

/** AppError `invalid_data`, `data_missing`, `data_changed` (the path leads elsewhere now, or a file is not the one that was looked at), `store_full` (no room to unpack) or `oom`. */
export async function loadSources(sources: readonly ResolvedSource[], { memoryBytes = defaultDataMemoryBytes(), jobMemoryBytes = processMemoryBytes(), unpackDir }: LoadOptions): Promise<LoadedSources> {
  const files = openFiles(sources);
  const unpacked: DataFile[] = [];
  const close = async (): Promise<void> => void (await Promise.all([...files.open.values(), ...unpacked].map((file) => file.close())));
  const unpackFile = makeUnpack(unpackDir);
  const unpack: Unpack = async (...wanted) => {
    const file = await unpackFile(...wanted);
    unpacked.push(file);
    return file;
  };
  try {
    const opened: (Dataset | FileSet<OpenPin>)[] = [];
    let madeBytes = 0;
    for (const source of sources) {
      const set = source.type === 'builtin' ? await makeBuiltin(source, jobMemoryBytes - madeBytes) : await openSet(source, files.get);
      if (isMade(set)) madeBytes += bytesInMemory(set);
      opened.push(set);
    }
    const placed = placeArrays(opened.flatMap((set) => (isMade(set) ? [] : factsOf(set))), Math.max(0, memoryBytes - madeBytes));
    const loadings = opened.map((set) => {
      if (isMade(set)) return { arrays: [], end: () => set };
      const [x, y] = placed.splice(0, 2) as [boolean, boolean];
      return beginLoading(set, { x, y }, unpack);
    });
    const hashed: Fingerprint[] = [];
    for (const file of files.open.values()) {
      const arrays = loadings.flatMap((loading) => loading.arrays).filter((array) => array.file === file);
      for (const { positionBytes, load } of arrays.sort((a, b) => a.positionBytes - b.positionBytes)) {
        await file.passTo(positionBytes);
        await load();
      }
      const fingerprint = await file.fingerprint();
      if (fingerprint !== null) hashed.push(fingerprint);
    }
    const sets = loadings.map((loading) => loading.end());
    const kept = filesOf(sets);
    for (const file of files.open.values()) if (!kept.includes(file)) await file.close();
    return { sets, hashed, close };
  } catch (error) {
    await close();
    throw error;
  }
}

const isMade = (set: Dataset | FileSet): set is Dataset => 'description' in set;

/** The files of these sources, each opened once, however many arrays of it are wanted. */
function openFiles(sources: readonly ResolvedSource[]): { open: Map<string, OpenPin>; get(pinned: PinnedFile): Promise<OpenPin> } {
  const open = new Map<string, OpenPin>();
  return {
    open,
    async get(pinned) {
      const { path, identity } = pinned;
      const key = JSON.stringify([path, identity]);
      const members = sources.flatMap((source) => (source.type === 'npz' && source.path === path ? membersIn(source) : []));
      const hash = sources.flatMap(pinnedIn).some((other) => other.path === path && other.hash === true);
      const file = open.get(key) ?? (await openPinned({ ...pinned, hash }, members));
      open.set(key, file);
      return file;
    },
  };
}

async function openSet(source: Exclude<ResolvedSource, { type: 'builtin' }>, open: (file: PinnedFile) => Promise<OpenPin>): Promise<FileSet<OpenPin>> {
  if (source.type === 'npz') return openNpz(await open(source), source);
  return openIdx(await open(source.images), await open(source.labels));
}

/** AppError `oom` with the numbers if it takes more than is left of the job's memory. */
async function makeBuiltin(source: Extract<ResolvedSource, { type: 'builtin' }>, leftBytes: number): Promise<Dataset> {
  if (source.name === 'digits') return loadDigits();
  const bytes = syntheticBytes(source);
  if (bytes > leftBytes) throw new AppError('oom', `${source.samples} synthetic samples of [${source.shape.join(', ')}] need ${Math.ceil(bytes / MIB)} MiB, and there are ${Math.floor(Math.max(0, leftBytes) / MIB)} MiB for this job`);
  return makeSynthetic(source, MAX_UNPACKED_BYTES);
}

/** What the arrays of a set take that are not in a file. */
export const bytesInMemory = ({ x, y }: OpenDataset): number => (isStored(x) ? 0 : x.byteLength) + (isStored(y) ? 0 : y.byteLength);

/** Whether nothing of it is in a file. */
export const isInMemory = (set: OpenDataset): set is Dataset => !isStored(set.x) && !isStored(set.y);
