// What a layer's forward may ask for besides its input: its weights, whether this is training, the keys of its randomness,
// and a place to leave the statistics of the batch. Types only; network.ts says which layer is computed by which function.
import type { Tensor } from '@tensorflow/tfjs-core';
import type { LayerPlan } from '../../../lib/model/plan.js';
import type { LayerSpec, LayerSpecOf } from '../../../lib/contract/spec.js';

/** Σ and spread of one channel's values in a batch, before any merging: see statistics.ts. */
export interface BatchStatistics {
  /** Values a channel. */
  count: number;
  mean_C: Tensor;
  /** Σ(x − mean)² */
  m2_C: Tensor;
}

export interface ForwardPass {
  /** False: inference mode, no dropout, moving statistics. */
  training: boolean;
  /** A weight by its full name, `<layer>/<weight>`. */
  weight(name: string): Tensor;
  /** Which samples these are: the keys of everything random in a layer. */
  samples: { seed: number; epoch: number; sampleIds: Int32Array };
  /** Keeps the statistics of a trainable normalization layer: they move its moving statistics at the update. */
  observe(layer: string, statistics: BatchStatistics): void;
}

/** [batch, …inputShape] → [batch, …outputShape]. Tensors in between are the caller's tidy's. */
export type LayerForward<T extends LayerSpec['type']> = (x: Tensor, layer: LayerPlan<LayerSpecOf<T>>, pass: ForwardPass) => Tensor;
