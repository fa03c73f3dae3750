// What a data set is to the rest: its description (known without reading all of it) and its samples, in memory or in
// the file they came in. Types, and how to tell them apart.

export interface DataDescription {
  samples: number;
  /** [height, width, channels]. */
  shape: readonly [number, number, number];
  classes: number;
  labels: 'integer' | 'one_hot';
  /** Type of the stored values, before normalisation. */
  dtype: 'uint8' | 'float32';
  /** Largest raw value by definition of the format (255 for uint8, 16 for digits); null if there is none. */
  unit: number | null;
}

/** [samples, height, width, channels], row-major. Raw: normalisation happens when a batch is made. */
export type Samples = Uint8Array | Float32Array;
/** Class indices [samples], or one-hot / soft rows [samples, classes]. */
export type Labels = Int32Array | Float32Array;

/** A set of samples in memory. */
export interface Dataset {
  description: DataDescription;
  x: Samples;
  y: Labels;
}

/** A set of samples whose arrays may have stayed in their files. */
export interface OpenDataset {
  description: DataDescription;
  x: Samples | StoredArray<Samples>;
  y: Labels | StoredArray<Labels>;
}

/** An array that is read from its file when it is needed, whole samples at a time. */
export interface StoredArray<Values> {
  file: DataFile;
  /** Where sample 0 begins in the file, in bytes. */
  startBytes: number;
  /** Of one sample, as it is stored. */
  sampleBytes: number;
  /** The values of so many samples; may be a view of `raw`, whose first byte lies at a multiple of 8. */
  decode(raw: Uint8Array<ArrayBuffer>, samples: number): Values;
}

/** Bytes that can be read from anywhere in them: a file, or an object in a bucket. */
export interface ByteSource {
  /** For people: a file's base name, an object's address. */
  readonly name: string;
  /** The field of the spec that names it; null where nobody asks for it. */
  readonly param: string | null;
  readonly sizeBytes: number;
  /** Fills `into` with the bytes from a position on, and says how many: fewer only where they end. Rejects with an AppError, or what the system says. */
  readAt(into: Uint8Array, positionBytes: number): Promise<number>;
  /** Harmless twice. */
  close(): Promise<void>;
}

/** Bytes of a file, and where they belong in memory. */
export interface ReadRun {
  positionBytes: number;
  lengthBytes: number;
  into: Uint8Array;
  offsetBytes: number;
}

/** A file that stays open. */
export interface DataFile extends ByteSource {
  /** Bytes read by `read` so far. */
  readonly readBytes: number;
  /** Starts all these reads at once and settles when none is under way any more. AppError `data_changed` where the file has ended, `data_missing` where it cannot be read. */
  read(runs: readonly ReadRun[]): Promise<void>;
  /** AppError `data_changed` if the open file is not as it was when it was opened. Blocks for microseconds. */
  assertUnchanged(): void;
  /** Waits for the reads that are under way. Harmless twice. */
  close(): Promise<void>;
}

export const isStored = <Values>(array: Values | StoredArray<Values>): array is StoredArray<Values> => typeof array === 'object' && array !== null && 'file' in array;

/** The files that something of these sets is still in. */
export const filesOf = (sets: readonly OpenDataset[]): DataFile[] => [...new Set(sets.flatMap(({ x, y }) => [x, y].flatMap((array) => (isStored<Samples | Labels>(array) ? [array.file] : []))))];

/** A file of this machine that was looked at. */
export interface PinnedFile {
  /** Its real path. */
  path: string;
  /** As it was then (SettledFile); with it, no other file at this path is ever read. */
  identity?: string;
  /** The field of the spec that names it. */
  param?: string;
  /** Its sha256 is not known yet: it is to be hashed while it is read. */
  hash?: boolean;
}

/** The files of a settled source. */
export const pinnedIn = (source: ResolvedSource): PinnedFile[] => (source.type === 'builtin' ? [] : source.type === 'npz' ? [source] : [source.images, source.labels]);

/** A data source whose location is settled: what a supervisor hands to its trainer. */
export type ResolvedSource =
  | { type: 'builtin'; name: 'digits' }
  | { type: 'builtin'; name: 'synthetic'; samples: number; shape: number[]; classes: number; seed: number }
  | ({ type: 'npz'; x: string; y: string } & PinnedFile)
  | { type: 'idx'; images: PinnedFile; labels: PinnedFile };
