// The layers' arithmetic once more, by plain loops in float64 and by the definitions, sharing nothing with the engine.
// Slow and obvious; gradients come from central differences.

export interface Values {
  shape: readonly number[];
  data: Float64Array;
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);
export const values = (shape: readonly number[], data: ArrayLike<number>): Values => ({ shape, data: Float64Array.from(data) });
const zeros = (shape: readonly number[]): Values => ({ shape, data: new Float64Array(sizeOf(shape)) });
const at4 = ([, H, W, C]: readonly number[], n: number, h: number, w: number, c: number): number => ((n * H! + h) * W! + w) * C! + c;

type Pair = readonly [number, number];
export interface Window {
  strides: Pair;
  padding: 'valid' | 'same';
  dilation?: Pair;
}

/** Output length and padding before the first element, as TensorFlow defines them. */
function axis(size: number, kernel: number, stride: number, dilation: number, padding: 'valid' | 'same'): { out: number; before: number } {
  const span = (kernel - 1) * dilation + 1;
  if (padding === 'valid') return { out: Math.floor((size - span) / stride) + 1, before: 0 };
  const out = Math.ceil(size / stride);
  return { out, before: Math.floor(Math.max(0, (out - 1) * stride + span - size) / 2) };
}

export function conv2d(x: Values, kernel: Values, { strides, padding, dilation = [1, 1] }: Window): Values {
  const [N, H, W, C] = x.shape as [number, number, number, number];
  const [kh, kw, , K] = kernel.shape as [number, number, number, number];
  const rows = axis(H, kh, strides[0], dilation[0], padding);
  const columns = axis(W, kw, strides[1], dilation[1], padding);
  const y = zeros([N, rows.out, columns.out, K]);
  for (let n = 0; n < N; n++)
    for (let i = 0; i < rows.out; i++)
      for (let j = 0; j < columns.out; j++)
        for (let k = 0; k < K; k++) {
          let sum = 0;
          for (let a = 0; a < kh; a++)
            for (let b = 0; b < kw; b++) {
              const h = i * strides[0] - rows.before + a * dilation[0];
              const w = j * strides[1] - columns.before + b * dilation[1];
              if (h < 0 || h >= H || w < 0 || w >= W) continue;
              for (let c = 0; c < C; c++) sum += x.data[at4(x.shape, n, h, w, c)]! * kernel.data[at4(kernel.shape, a, b, c, k)]!;
            }
          y.data[at4(y.shape, n, i, j, k)] = sum;
        }
  return y;
}

/** Every channel by itself: kernel [kh, kw, in, multiplier], channel c's outputs from c · multiplier on. */
export function depthwiseConv2d(x: Values, kernel: Values, { strides, padding, dilation = [1, 1] }: Window): Values {
  const [N, H, W, C] = x.shape as [number, number, number, number];
  const [kh, kw, , M] = kernel.shape as [number, number, number, number];
  const rows = axis(H, kh, strides[0], dilation[0], padding);
  const columns = axis(W, kw, strides[1], dilation[1], padding);
  const y = zeros([N, rows.out, columns.out, C * M]);
  for (let n = 0; n < N; n++)
    for (let i = 0; i < rows.out; i++)
      for (let j = 0; j < columns.out; j++)
        for (let c = 0; c < C; c++)
          for (let m = 0; m < M; m++) {
            let sum = 0;
            for (let a = 0; a < kh; a++)
              for (let b = 0; b < kw; b++) {
                const h = i * strides[0] - rows.before + a * dilation[0];
                const w = j * strides[1] - columns.before + b * dilation[1];
                if (h >= 0 && h < H && w >= 0 && w < W) sum += x.data[at4(x.shape, n, h, w, c)]! * kernel.data[at4(kernel.shape, a, b, c, m)]!;
              }
            y.data[at4(y.shape, n, i, j, c * M + m)] = sum;
          }
  return y;
}

export const maxPool = (x: Values, size: Pair, window: Window): Values => pool(x, size, window, (inside) => Math.max(...inside));
/** Of what is inside of the image. */
export const averagePool = (x: Values, size: Pair, window: Window): Values => pool(x, size, window, (inside) => inside.reduce((sum, value) => sum + value, 0) / inside.length);

function pool(x: Values, size: Pair, { strides, padding }: Window, reduce: (inside: number[]) => number): Values {
  const [N, H, W, C] = x.shape as [number, number, number, number];
  const rows = axis(H, size[0], strides[0], 1, padding);
  const columns = axis(W, size[1], strides[1], 1, padding);
  const y = zeros([N, rows.out, columns.out, C]);
  for (let n = 0; n < N; n++)
    for (let i = 0; i < rows.out; i++)
      for (let j = 0; j < columns.out; j++)
        for (let c = 0; c < C; c++) {
          const inside: number[] = [];
          for (let a = 0; a < size[0]; a++)
            for (let b = 0; b < size[1]; b++) {
              const h = i * strides[0] - rows.before + a;
              const w = j * strides[1] - columns.before + b;
              if (h >= 0 && h < H && w >= 0 && w < W) inside.push(x.data[at4(x.shape, n, h, w, c)]!);
            }
          y.data[at4(y.shape, n, i, j, c)] = reduce(inside);
        }
  return y;
}

/** One value a channel and sample, of all its pixels. */
export function globalPool(x: Values, reduce: (pixels: number[]) => number): Values {
  const [N, H, W, C] = x.shape as [number, number, number, number];
  const y = zeros([N, C]);
  for (let n = 0; n < N; n++)
    for (let c = 0; c < C; c++) y.data[n * C + c] = reduce(Array.from({ length: H * W }, (_, pixel) => x.data[(n * H * W + pixel) * C + c]!));
  return y;
}

/** Each sample's values of a group by their own mean and population variance; `groupOf` says to which group of its sample an element belongs. */
export function normaliseGroups(x: Values, groups: number, groupOf: (element: number) => number, epsilon: number): Values {
  const perSample = x.data.length / x.shape[0]!;
  const keyOf = (index: number): number => Math.floor(index / perSample) * groups + groupOf(index % perSample);
  const sums = Array.from({ length: x.shape[0]! * groups }, () => ({ count: 0, mean: 0, m2: 0 }));
  x.data.forEach((value, index) => {
    const sum = sums[keyOf(index)]!;
    sum.count++;
    const delta = value - sum.mean;
    sum.mean += delta / sum.count;
    sum.m2 += delta * (value - sum.mean);
  });
  return map(x, (value, index) => {
    const { count, mean, m2 } = sums[keyOf(index)]!;
    return (value - mean) / Math.sqrt(m2 / count + epsilon);
  });
}

/** x [N, C] · kernel [C, U] */
export function matMul(x: Values, kernel: Values): Values {
  const [N, C] = x.shape as [number, number];
  const U = kernel.shape[1]!;
  const y = zeros([N, U]);
  for (let n = 0; n < N; n++)
    for (let u = 0; u < U; u++) {
      let sum = 0;
      for (let c = 0; c < C; c++) sum += x.data[n * C + c]! * kernel.data[c * U + u]!;
      y.data[n * U + u] = sum;
    }
  return y;
}

export const map = (x: Values, f: (value: number, index: number) => number): Values => ({ shape: x.shape, data: x.data.map(f) });
/** Times a factor along the last axis. */
export const scale = (x: Values, factors: Values): Values => map(x, (value, index) => value * factors.data[index % factors.data.length]!);
/** Adds along the last axis. */
export const addBias = (x: Values, bias: Values): Values => map(x, (value, index) => value + bias.data[index % bias.data.length]!);

/** Mean and Σ(x − mean)² of each channel (the last axis). */
export function channelStatistics(x: Values): { count: number; mean: Float64Array; m2: Float64Array } {
  const C = x.shape.at(-1)!;
  const count = x.data.length / C;
  const mean = new Float64Array(C);
  const m2 = new Float64Array(C);
  x.data.forEach((value, index) => (mean[index % C]! += value / count));
  x.data.forEach((value, index) => (m2[index % C]! += (value - mean[index % C]!) ** 2));
  return { count, mean, m2 };
}

export function batchNorm(x: Values, gamma: Values, beta: Values, epsilon: number): Values {
  const { count, mean, m2 } = channelStatistics(x);
  return normalise(x, mean, m2.map((sum) => sum / count), gamma, beta, epsilon);
}

export function normalise(x: Values, mean: ArrayLike<number>, variance: ArrayLike<number>, gamma: Values, beta: Values, epsilon: number): Values {
  const C = x.shape.at(-1)!;
  return map(x, (value, index) => {
    const c = index % C;
    return (gamma.data[c]! * (value - mean[c]!)) / Math.sqrt(variance[c]! + epsilon) + beta.data[c]!;
  });
}

/** Over the last axis. */
export function softmax(x: Values): Values {
  const K = x.shape.at(-1)!;
  return map(x, (_, index) => {
    const row = x.data.subarray(index - (index % K), index - (index % K) + K);
    const most = Math.max(...row);
    return Math.exp(x.data[index]! - most) / row.reduce((sum, value) => sum + Math.exp(value - most), 0);
  });
}

/** −Σ labels · log probabilities, a row. */
export function crossEntropy(probabilities: Values, labels: Values): Values {
  const [N, K] = probabilities.shape as [number, number];
  const losses = zeros([N]);
  for (let index = 0; index < N * K; index++) {
    const label = labels.data[index]!;
    if (label !== 0) losses.data[Math.floor(index / K)]! -= label * Math.log(probabilities.data[index]!);
  }
  return losses;
}

/** d f / d inputs[i], each element, by central differences; inputs are as before afterwards. */
export function numericGradients(f: () => number, inputs: readonly Values[], h = 1e-5): Float64Array[] {
  return inputs.map(({ data }) =>
    data.map((_, index) => {
      const value = data[index]!;
      const at = (shifted: number): number => {
        data[index] = shifted;
        return f();
      };
      const slope = (at(value + h) - at(value - h)) / (2 * h);
      data[index] = value;
      return slope;
    }),
  );
}
