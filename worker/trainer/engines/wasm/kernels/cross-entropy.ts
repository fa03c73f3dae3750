// Softmax and cross-entropy in one: ℓ[n] = Σₖ labels[n,k] · (log Σⱼ exp(z[n,j]) − z[n,k]), z being the logits less their
// largest, and softmax − labels, from which the gradient is made. exp and log are the package's: equal wherever it runs.
import { floats, makeFloats, stockKernel, type Kernels } from './kernel.js';

const exp = stockKernel('Exp');
const log = stockKernel('Log');

export const crossEntropyKernels: Kernels = {
  SoftmaxCrossEntropyWithLogits({ backend, inputs }) {
    const { logits, labels } = inputs as { logits: NonNullable<(typeof inputs)[string]>; labels: NonNullable<(typeof inputs)[string]> };
    const [samples, classes] = logits.shape as [number, number];
    const shifted = makeFloats(backend, [samples, classes]);
    shiftRows(floats(backend, logits), floats(backend, shifted), classes);
    const difference = exp({ backend, inputs: { x: shifted } });
    const sums = makeFloats(backend, [samples]);
    sumEachRow(floats(backend, difference), floats(backend, sums), classes);
    const losses = log({ backend, inputs: { x: sums } });

    const [z, p, label, loss, sum] = [shifted, difference, labels, losses, sums].map((tensor) => floats(backend, tensor)) as [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];
    for (let sample = 0; sample < samples; sample++) {
      let total = 0;
      for (let at = sample * classes; at < (sample + 1) * classes; at++) {
        // a class of weight 0 costs nothing, however unlikely it is
        if (label[at] !== 0) total += label[at]! * (loss[sample]! - z[at]!);
        p[at] = p[at]! / sum[sample]! - label[at]!;
      }
      loss[sample] = total;
    }
    for (const { dataId } of [shifted, sums]) backend.disposeData(dataId);
    return [losses, difference];
  },
};

/** Each row less its largest element. */
function shiftRows(from: Float32Array, to: Float32Array, columns: number): void {
  for (let start = 0; start < from.length; start += columns) {
    let largest = from[start]!;
    for (let at = start + 1; at < start + columns; at++) largest = Math.max(largest, from[at]!);
    for (let at = start; at < start + columns; at++) to[at] = from[at]! - largest;
  }
}

function sumEachRow(from: Float32Array, to: Float32Array, columns: number): void {
  for (let row = 0; row < to.length; row++) {
    let sum = 0;
    for (let at = row * columns; at < (row + 1) * columns; at++) sum += from[at]!;
    to[row] = sum;
  }
}
