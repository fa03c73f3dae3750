// What a data set is to the rest: its description (known without reading all of it) and its samples in memory. Types only.

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

/** A set of samples in memory. Raw values: normalisation happens when a batch is made. */
export interface Dataset {
  description: DataDescription;
  /** [samples, height, width, channels], row-major. */
  x: Uint8Array | Float32Array;
  /** Class indices [samples], or one-hot / soft rows [samples, classes]. */
  y: Int32Array | Float32Array;
}

/** A data source whose location is settled: what a supervisor hands to its trainer. */
export type ResolvedSource =
  | { type: 'builtin'; name: 'digits' }
  | { type: 'builtin'; name: 'synthetic'; samples: number; shape: number[]; classes: number; seed: number }
  | { type: 'npz'; /** real path */ path: string; x: string; y: string };
