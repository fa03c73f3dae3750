// Sums of products in registers: tiles of up to 4 rows by 8 columns, and the loops that cover a result with them. Two kinds:
// `multiply` has rows of inputs and packed columns of weights (a convolution and its input's gradient, a dense layer);
// `accumulate` has columns of both (a filter's gradient). A sum's terms are added in their order whatever tile it is in, so
// the bits of a result depend on nothing but its operands.
import { add, f32x4, get, i32, loopDown, loopWhile, set, type Assembler, type Code, type Local } from '../../../../../lib/wasm/assembler.js';

const TILE_ROWS = [4, 3, 2, 1] as const;
/** Widest first. A tile reads and writes its own columns only. */
export const TILE_COLUMNS = [8, 4, 2, 1] as const;
type Columns = (typeof TILE_COLUMNS)[number];

/** How a row of a tile lies in vectors: read and written as this many. */
const FORMS = {
  8: { vectors: 2, load: f32x4.load, store: f32x4.store },
  4: { vectors: 1, load: f32x4.load, store: f32x4.store },
  2: { vectors: 1, load: f32x4.loadTwo, store: f32x4.storeTwo },
  1: { vectors: 1, load: f32x4.loadOne, store: f32x4.storeOne },
} as const;

const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => make(index));
const scaled = (local: Local, factor: number): Code => i32.multiply(get(local), i32.constant(factor));
/** sum += a · b */
export const multiplyAdd = (fused: boolean, sum: Local, a: Code, b: Code): Code => set(sum, fused ? f32x4.multiplyAdd(a, b, get(sum)) : f32x4.add(get(sum), f32x4.multiply(a, b)));

/**
 * multiply(a, rowStep, lines, linePitch, run, packed, y, yStep, rows, columns), all steps in bytes:
 *   y[r, c] = Σ over line < lines, i < run of a[r·rowStep + line·linePitch + 4i] · packed column c [line·run + i]
 * `packed` holds the weights by tiles of columns, as TILE_COLUMNS covers them (pack).
 */
export function defineMultiply(module: Assembler, fused: boolean): void {
  const tile = (rows: number, columns: Columns) =>
    module.define(null, 8, ([a, rowStep, lines, linePitch, run, packed, y, yStep], local) => {
      const { vectors, load, store } = FORMS[columns];
      const left = local('i32');
      const pointers = times(rows, () => local('i32'));
      const sums = times(rows, () => times(vectors, () => local('v128')));
      const weights = times(vectors, () => local('v128'));
      const value = local('v128');
      return [
        loopDown(
          lines!,
          ...pointers.map((pointer, row) => set(pointer, row === 0 ? get(a!) : i32.add(get(pointers[row - 1]!), get(rowStep!)))),
          set(left, get(run!)),
          loopDown(
            left,
            ...weights.map((weight, vector) => set(weight, load(get(packed!), 16 * vector))),
            ...pointers.flatMap((pointer, row) => [set(value, f32x4.loadSplat(get(pointer))), ...weights.map((weight, vector) => multiplyAdd(fused, sums[row]![vector]!, get(value), get(weight)))]),
            ...pointers.map((pointer) => add(pointer, 4)),
            add(packed!, 4 * columns),
          ),
          add(a!, get(linePitch!)),
        ),
        ...sums.flatMap((row) => [...row.map((sum, vector) => store(get(y!), get(sum), 16 * vector)), add(y!, get(yStep!))]),
      ];
    });
  defineCovering(module, 'multiply', { parameters: 8, weights: 5, tile, rowAdvance: ([, rowStep], height) => scaled(rowStep!, height), columnAdvance: ([, , lines, , run], width) => i32.multiply(i32.multiply(get(lines!), get(run!)), i32.constant(4 * width)) });
}

/**
 * accumulate(a, aStep, aPitch, b, bStep, bPitch, lines, run, y, yStep, rows, columns), all steps in bytes:
 *   y[r, c] += Σ over line < lines, i < run of a[line·aPitch + i·aStep + 4r] · b[line·bPitch + i·bStep + 4c]
 */
export function defineAccumulate(module: Assembler, fused: boolean): void {
  const tile = (rows: number, columns: Columns) =>
    module.define(null, 10, ([a, aStep, aPitch, b, bStep, bPitch, lines, run, y, yStep], local) => {
      const { vectors, load, store } = FORMS[columns];
      const [left, x, dy] = [local('i32'), local('i32'), local('i32')];
      const sums = times(rows, () => times(vectors, () => local('v128')));
      const slopes = times(vectors, () => local('v128'));
      const value = local('v128');
      return [
        loopDown(
          lines!,
          set(x, get(a!)),
          set(dy, get(b!)),
          set(left, get(run!)),
          loopDown(
            left,
            ...slopes.map((slope, vector) => set(slope, load(get(dy), 16 * vector))),
            ...sums.flatMap((row, index) => [set(value, f32x4.loadSplat(get(x), 4 * index)), ...row.map((sum, vector) => multiplyAdd(fused, sum, get(value), get(slopes[vector]!)))]),
            add(x, get(aStep!)),
            add(dy, get(bStep!)),
          ),
          add(a!, get(aPitch!)),
          add(b!, get(bPitch!)),
        ),
        ...sums.flatMap((row) => [...row.map((sum, vector) => store(get(y!), f32x4.add(load(get(y!), 16 * vector), get(sum)), 16 * vector)), add(y!, get(yStep!))]),
      ];
    });
  defineCovering(module, 'accumulate', { parameters: 10, weights: 3, tile, rowAdvance: (_, height) => i32.constant(4 * height), columnAdvance: (_, width) => i32.constant(4 * width) });
}

interface Covering {
  /** Of a tile: the first is where its rows begin, the last two are the result and the step between its rows. */
  parameters: number;
  /** Which of them is where its columns begin. */
  weights: number;
  tile(rows: number, columns: Columns): (...operands: Code[]) => Code;
  /** How far rows and columns are from those of the next tile, in bytes. */
  rowAdvance(parameters: readonly Local[], rows: number): Code;
  columnAdvance(parameters: readonly Local[], columns: number): Code;
}

/** A function of a tile's parameters and of a number of rows and of columns, which covers them with tiles: columns first. */
function defineCovering(module: Assembler, name: string, { parameters, weights, tile, rowAdvance, columnAdvance }: Covering): void {
  const tiles = TILE_COLUMNS.map((columns) => ({ columns, heights: TILE_ROWS.map((rows) => ({ rows, call: tile(rows, columns) })) }));
  module.define(name, parameters + 2, (all, local) => {
    const [given, [rows, columns]] = [all.slice(0, parameters), all.slice(parameters) as [Local, Local]];
    const [a, y, yStep] = [given[0]!, given.at(-2)!, given.at(-1)!];
    const [from, to, left] = [local('i32'), local('i32'), local('i32')];
    const operands = given.map((parameter) => get(parameter === a ? from : parameter === y ? to : parameter));
    return tiles.map(({ columns: width, heights }) =>
      loopWhile(
        i32.atLeast(get(columns), i32.constant(width)),
        set(from, get(a)),
        set(to, get(y)),
        set(left, get(rows)),
        ...heights.map(({ rows: height, call }) =>
          loopWhile(i32.atLeast(get(left), i32.constant(height)), call(...operands), add(from, rowAdvance(given, height)), add(to, scaled(yStep, height)), add(left, -height)),
        ),
        add(given[weights]!, columnAdvance(given, width)),
        add(y, 4 * width),
        add(columns, -width),
      ),
    );
  });
}

/** pack(from, step, columnStep, count, columns, to), steps in bytes: to[i · columns + c] = from[i·step + c·columnStep], a tile's columns side by side. */
export function definePack(module: Assembler): void {
  module.define('pack', 6, ([from, step, columnStep, count, columns, to], local) => {
    const [at, left] = [local('i32'), local('i32')];
    return [
      loopDown(
        count!,
        set(at, get(from!)),
        set(left, get(columns!)),
        loopDown(left, i32.store(get(to!), i32.load(get(at))), add(at, get(columnStep!)), add(to!, 4)),
        add(from!, get(step!)),
      ),
    ];
  });
}
