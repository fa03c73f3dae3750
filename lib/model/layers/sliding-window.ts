// Output sizes of layers that slide a window over height and width: Keras's formulas for convolution and pooling.
import type { Padding } from '../../contract/layers.js';

export interface SlidingWindow {
  size: number;
  stride: number;
  dilation: number;
  padding: Padding;
}

/** Cells that the window spans: (size − 1)·dilation + 1. */
export const spanOf = ({ size, dilation }: Pick<SlidingWindow, 'size' | 'dilation'>) => (size - 1) * dilation + 1;

/**
 * valid: ⌊(input − span)/stride⌋ + 1, not positive if the window is larger than the input; same: ⌈input/stride⌉
 * (https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2).
 */
export function outputSize(input: number, window: SlidingWindow): number {
  return window.padding === 'same' ? Math.ceil(input / window.stride) : Math.floor((input - spanOf(window)) / window.stride) + 1;
}
