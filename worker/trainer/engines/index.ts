// The seam between the training loop and whatever runs the tensors. The loop knows nothing of tensors:
// it hands over batches and scalars, and gets rows; a graph engine compiles the same program without touching the loop.
import type { ModelPlan } from '../../../lib/model/plan.js';
import type { EmaSpec, LossSpec, OptimizerSpec, TrainingSpec } from '../../../lib/contract/training.js';
import type { HostTensor, TensorMap } from '../../../lib/training/state.js';
import type { Masks } from '../masks.js';

/** Everything that shapes the computation. Learning rates are not in it: they are fed. */
export interface Program {
  plan: ModelPlan;
  loss: LossSpec;
  optimizer: OptimizerSpec;
  /** A moving average of the trainable weights, for evaluations; null for none. */
  ema: EmaSpec | null;
  reduction: TrainingSpec['reduction'];
  batchSize: number;
  /** k of the metric top_k_accuracy; null if it is not asked for. */
  topK: number | null;
  /** What a sample's loss is divided by where the reduction is `sample`: the job's batch_size, of which batchSize may be a part (slices.ts). */
  lossDenominator: number;
  accumIters: number;
  /** Of the window's gradient: the largest absolute value of an element, the largest global norm; null for no limit. */
  clip: { value: number | null; norm: number | null };
  /** Micro-batches of a window to run side by side: that many, or as many up to that as turn out fastest. */
  lanes: { most: number; measured: boolean };
  /** How many samples a micro-batch may have, and a batch of an evaluation: full and ragged ones. */
  sizes: { training: readonly number[]; evaluation: readonly number[] };
  /** sha256 over all of the above but the lanes, the sizes and the optimizer's learning rates: part of the numerics class. */
  key: string;
}

/** One micro-batch, gathered and normalised. Buffers are not touched again after they were handed over. */
export interface Batch {
  /** [samples, height, width, channels] */
  x: Float32Array;
  /** One row of class weights a sample, [samples, classes]: one-hot or soft, smoothing not yet applied. For a single output [samples, 1]: the weight of the second of two classes. */
  y: Float32Array;
  samples: number;
  /** Of a training batch; an evaluation needs none. */
  masks: Masks;
}

/** Of one micro-batch, as float64 sums of float32 results. */
export interface BatchRow {
  samples: number;
  /** Σℓ over its samples (reduction `sample`) or their mean (reduction `batch`). */
  loss: number;
  correct: number;
  /** Of which the label's class is among the k largest outputs; 0 where that is not asked for. */
  top_k_correct: number;
}

/** What an update needs from the host: all of it derived from integers in float64, then float32. */
export interface UpdateScalars {
  /** Completed updates before this one. */
  update: number;
  /** What the accumulated gradient is divided by: Σn/batch_size (sample) or micro-batches (batch). */
  divisor: number;
  /** lr_u: schedule and decay applied. */
  learningRate: number;
}

export interface UpdateResult {
  /** Global norm of the divided gradient, the regularizers' included, before clipping. */
  gradNorm: number;
  /** The regularizers' penalty of the weights before the update. */
  regularization: number;
}

/** Of a block of micro-batches. */
export interface BlockResult {
  /** One a micro-batch, in their order. */
  rows: readonly BatchRow[];
  /**
   * Whether every loss and the norm of the window's gradient so far are finite in float32. If not, weights, slots and
   * moving statistics are as before the block, and the window is lost: it has to be dropped.
   */
  finite: boolean;
  /** Null if none was asked for, or if not finite. */
  update: UpdateResult | null;
}

/** The micro-batches of a whole window, and its update. */
export interface Window {
  batches: readonly Batch[];
  update: UpdateScalars;
}

/** An immutable view of a state: later micro-batches do not change a byte of it. */
export interface StateSnapshot {
  readonly names: readonly string[];
  /** Reads one tensor out (blocking, one tensor's cost). */
  read(name: string): HostTensor;
  /** Frees the view; harmless twice. */
  dispose(): void;
}

export interface CompiledProgram {
  /** Micro-batches of a window that run side by side. */
  readonly lanes: number;
  /** Fresh weights from the initializers (keyed by the job's seed and the weight's name), slots at their start values, no window. */
  initialise(seed: number): void;
  /** Replaces weights only, and with them their moving average (by name; a missing, extra or mis-shaped one is an error naming it). */
  loadWeights(weights: TensorMap): void;
  /** Replaces everything: weights, slots and, exactly when a window is open, accumulator and statistics. Errors as above. */
  restore(state: TensorMap, windowOpen: boolean): void;
  /** How many micro-batches are best run in one block: at most that many, and a fraction of a second. At least 1; may change. */
  readonly blockLimit: number;
  /**
   * Runs at least one micro-batch, all of the same open window, each folded into the accumulator in order; then, with
   * `update`, applies the window and empties it. The bits do not depend on how a window is cut into blocks.
   */
  runBlock(batches: readonly Batch[], update: UpdateScalars | null): BlockResult;
  /** How many whole windows are best run at once: 1 where that saves nothing. May change. */
  readonly windowLimit: number;
  /** Runs whole windows while none is open, in the bits of one runBlock after another. The results end with the first that is not finite. */
  runWindows(windows: readonly Window[]): BlockResult[];
  /** Drops the open window: accumulator and statistics. */
  dropWindow(): void;
  /** The row of one batch in inference mode, by the moving average where there is one, its loss summed whatever the reduction is; changes nothing. */
  evaluate(batch: Batch): BatchRow;
  /** A view of the whole state. `windowOpen` says whether accumulator and statistics belong to it. */
  snapshot(windowOpen: boolean): StateSnapshot;
  close(): void;
}

export interface Engine {
  name: 'tensorflow' | 'wasm';
  /** For people. */
  device: string;
  /** Versions, flags, instruction set, device and threads: the engine's part of the numerics class. */
  numerics: string;
  /** What its tensors may take where nothing else needs memory; null if it cannot be told. */
  memoryBytes: number | null;
  compile(program: Program): CompiledProgram;
  /** Live tensors and variables: back at the baseline when every program is closed. */
  liveTensors(): number;
}
