// The loops against their definitions, at every start: once for every size of tile and for what is left over. The numbers
// are small integers, so whatever the rounding, results are equal or wrong.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { WasmBackend } from '../backend.js';
import type { Loops } from './loops.js';
import { TILE_COLUMNS } from './products.js';
import { ROW_LOOPS, type RowLoopName } from './rows.js';

/** A result of loops, and what it has to be. */
type Proof = (run: Run) => { actual: Float32Array; expected: ArrayLike<number> };
/** Puts operands into the heap, calls with their addresses and the result's (zeros at first), and reads that. */
type Run = (operands: readonly Float32Array[], size: number, call: (to: number, ...addresses: number[]) => void) => Float32Array;

/** What is wrong, in words; empty if everything is right. */
export function proveLoops(backend: WasmBackend, loops: Loops): string[] {
  const run: Run = (operands, size, call) => {
    const tensors = [new Float32Array(size), ...operands].map((values): TensorInfo => {
      const tensor = backend.makeOutput([values.length], 'float32');
      (backend.typedArrayFromHeap(tensor) as Float32Array).set(values);
      return tensor;
    });
    call(...(tensors.map(({ dataId }) => backend.getMemoryOffset(dataId)) as [number, ...number[]]));
    const result = (backend.typedArrayFromHeap(tensors[0]!) as Float32Array).slice();
    for (const { dataId } of tensors) backend.disposeData(dataId);
    return result;
  };
  const proofs: Record<string, Proof> = { multiply: multiply(loops), accumulate: accumulate(loops), maxPoolGrad: maxPoolGrad(loops), depthwise: depthwise(loops), depthwiseGrad: depthwiseGrad(loops) };
  for (const name of Object.keys(ROW_LOOPS) as RowLoopName[]) proofs[name] = rowLoop(loops, name);
  return Object.entries(proofs).flatMap(([name, proof]) => {
    const { actual, expected } = proof(run);
    return actual.every((value, index) => value === expected[index]) ? [] : [`the loop ${name} gives [${[...actual].join(', ')}] instead of [${Array.from(expected).join(', ')}]`];
  });
}

const integers = (count: number, salt: number): Float32Array => Float32Array.from({ length: count }, (_, index) => ((index * 37 + salt * 5) % 13) - 6);
const grid = (rows: number, columns: number, value: (row: number, column: number) => number): Float32Array => Float32Array.from({ length: rows * columns }, (_, index) => value(Math.floor(index / columns), index % columns));
const sumOver = (count: number, term: (index: number) => number): number => Array.from({ length: count }, (_, index) => term(index)).reduce((sum, value) => sum + value, 0);

/** Every width of a tile with every height. */
const [ROWS, COLUMNS] = [10, 15];
/** Two lines of three numbers each, 40 apart; rows overlap. */
const [LINES, RUN, ROW, LINE] = [2, 3, 2, 40];

function multiply(loops: Loops): Proof {
  const a = integers(LINE + ROWS * ROW + RUN, 1);
  const weights = integers(LINES * RUN * COLUMNS, 2);
  return (run) => ({
    actual: run([a, weights, new Float32Array(weights.length)], ROWS * COLUMNS, (to, from, unpacked, packed) => {
      let [column, at] = [0, packed];
      for (const width of TILE_COLUMNS) {
        loops.pack(unpacked + 4 * column, 4 * COLUMNS, 4, LINES * RUN, width, at);
        at += 4 * width * LINES * RUN;
        column += width;
      }
      // in two halves, so that all heights of tiles are used: 4 + 3 rows, and 2 + 1
      loops.multiply(from, 4 * ROW, LINES, 4 * LINE, RUN, packed, to, 4 * COLUMNS, 7, COLUMNS);
      for (const [row, rows] of [[7, 2], [9, 1]] as const) loops.multiply(from + 4 * ROW * row, 4 * ROW, LINES, 4 * LINE, RUN, packed, to + 4 * COLUMNS * row, 4 * COLUMNS, rows, COLUMNS);
    }),
    expected: grid(ROWS, COLUMNS, (row, column) => sumOver(LINES * RUN, (term) => a[row * ROW + Math.floor(term / RUN) * LINE + (term % RUN)]! * weights[term * COLUMNS + column]!)),
  });
}

function accumulate(loops: Loops): Proof {
  const a = integers(LINES * LINE + ROWS, 3);
  const b = integers(LINES * RUN * COLUMNS, 4);
  const step = (term: number): number => Math.floor(term / RUN) * LINE + (term % RUN) * ROW;
  return (run) => ({
    actual: run([a, b], ROWS * COLUMNS, (to, from, slopes) => {
      for (const [row, rows] of [[0, 7], [7, 2], [9, 1]] as const) loops.accumulate(from + 4 * row, 4 * ROW, 4 * LINE, slopes, 4 * COLUMNS, 4 * COLUMNS * RUN, LINES, RUN, to + 4 * COLUMNS * row, 4 * COLUMNS, rows, COLUMNS);
    }),
    expected: grid(ROWS, COLUMNS, (row, column) => sumOver(LINES * RUN, (term) => a[step(term) + row]! * b[term * COLUMNS + column]!)),
  });
}

/** One quad of channels, and three single ones. */
const CHANNELS = 7;

function rowLoop(loops: Loops, name: RowLoopName): Proof {
  const { elements, channels, gives, means } = ROW_LOOPS[name];
  const rows = 3;
  const [perElement, perChannel] = [Array.from({ length: elements }, (_, index) => integers(rows * CHANNELS, index)), Array.from({ length: channels }, (_, index) => integers(CHANNELS, 5 + index))];
  const value = (row: number, channel: number): number => means(perElement.map((values) => values[row * CHANNELS + channel]!), perChannel.map((values) => values[channel]!));
  return (run) => ({
    actual: run([...perElement, ...perChannel], gives === 'sums' ? CHANNELS : rows * CHANNELS, (to, ...addresses) => loops[name](...addresses, to, rows, CHANNELS)),
    expected: gives === 'sums' ? grid(1, CHANNELS, (_, channel) => sumOver(rows, (row) => value(row, channel))) : grid(rows, CHANNELS, value),
  });
}

/** A window of 2 lines by 3 pixels in an image 4 pixels wide, and which pixels those are. */
const [WINDOW_LINES, WINDOW_COLUMNS, IMAGE_WIDTH] = [2, 3, 4];
const PIXELS = [0, 1, 2, 4, 5, 6];
/** From line to line, of the image and of a window by itself. */
const PITCHES = [4 * IMAGE_WIDTH * CHANNELS, 4 * WINDOW_COLUMNS * CHANNELS] as const;

/** With equal largest values in every channel. */
function maxPoolGrad(loops: Loops): Proof {
  const x = integers(WINDOW_LINES * IMAGE_WIDTH * CHANNELS, 6);
  const largest = grid(1, CHANNELS, (_, channel) => {
    const most = Math.max(...PIXELS.map((pixel) => x[pixel * CHANNELS + channel]!));
    x[6 * CHANNELS + channel] = most;
    return most;
  });
  const slope = integers(CHANNELS, 7);
  return (run) => ({
    actual: run([x, largest, slope], x.length, (to, from, y, dy) => loops.maxPoolGrad(from, to, y, dy, WINDOW_LINES, WINDOW_COLUMNS, PITCHES[0], 4 * CHANNELS, CHANNELS)),
    expected: grid(WINDOW_LINES * IMAGE_WIDTH, CHANNELS, (pixel, channel) => (pixel === PIXELS.find((each) => x[each * CHANNELS + channel] === largest[channel]) ? slope[channel]! : 0)),
  });
}

function depthwise(loops: Loops): Proof {
  const [x, weights] = [integers(WINDOW_LINES * IMAGE_WIDTH * CHANNELS, 8), integers(PIXELS.length * CHANNELS, 9)];
  return (run) => ({
    actual: run([x, weights], CHANNELS, (to, from, taps) => loops.depthwise(from, taps, to, WINDOW_LINES, WINDOW_COLUMNS, ...PITCHES, CHANNELS)),
    expected: grid(1, CHANNELS, (_, channel) => sumOver(PIXELS.length, (tap) => x[PIXELS[tap]! * CHANNELS + channel]! * weights[tap * CHANNELS + channel]!)),
  });
}

function depthwiseGrad(loops: Loops): Proof {
  const [weights, slope] = [integers(PIXELS.length * CHANNELS, 10), integers(CHANNELS, 11)];
  return (run) => ({
    // twice: it adds
    actual: run([weights, slope], WINDOW_LINES * IMAGE_WIDTH * CHANNELS, (to, taps, dy) => {
      for (let count = 0; count < 2; count++) loops.depthwiseGrad(to, taps, dy, WINDOW_LINES, WINDOW_COLUMNS, ...PITCHES, CHANNELS);
    }),
    expected: grid(WINDOW_LINES * IMAGE_WIDTH, CHANNELS, (pixel, channel) => (PIXELS.includes(pixel) ? 2 * weights[PIXELS.indexOf(pixel) * CHANNELS + channel]! * slope[channel]! : 0)),
  });
}
