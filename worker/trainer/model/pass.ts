// What a layer's forward may ask for besides its input: its weights, whether this is training, its mask of random numbers,
// and a place to leave the statistics of the batch. Types only; network.ts says which layer is computed by which function.
import type { Tensor } from '@tensorflow/tfjs-core';
import type { LayerPlan } from '../../../lib/model/plan.js';
import type { LayerSpec, LayerSpecOf } from '../../../lib/contract/layers.js';

/** Mean and spread of each channel's values: see statistics.ts. */
export interface Statistics {
  mean_C: Tensor;
  /** Σ(x − mean)² */
  m2_C: Tensor;
}

export interface ForwardPass {
  /** False: inference mode, no masks, moving statistics. */
  training: boolean;
  /** A weight by its full name, `<layer>/<weight>`. */
  weight(name: string): Tensor;
  /** The mask of a layer that has one (../masks.ts), [batch, …inputShape]. */
  mask(layer: string): Tensor;
  /** Keeps the statistics of a trainable normalization layer: they move its moving statistics at the update. */
  observe(layer: string, statistics: Statistics): void;
}

/** [batch, …inputShape] → [batch, …outputShape]. Tensors in between are the caller's tidy's. */
export type LayerForward<T extends LayerSpec['type']> = (x: Tensor, layer: LayerPlan<LayerSpecOf<T>>, pass: ForwardPass) => Tensor;
