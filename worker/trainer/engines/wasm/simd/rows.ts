// Loops over rows of channels: numbers in memory order, with a few numbers for each channel beside them. Each makes as many
// numbers as it is given, or a sum for each channel.
import { add, f32x4, get, i32, loopDown, loopWhile, QUAD, set, SINGLE, type Assembler, type Code } from '../../../../../lib/wasm/assembler.js';

interface RowLoop {
  /** How many operands have a number for each element, and how many one for each channel. */
  elements: number;
  channels: number;
  /** `sums` are added to what is there, a channel at a time. */
  gives: 'elements' | 'sums';
  compute(elements: Code[], channels: Code[]): Code;
  /** The same of single numbers. */
  means(elements: number[], channels: number[]): number;
}

const { add: plus, subtract: minus, multiply: times } = f32x4;

/** Called with the operands' addresses (elements, then channels), the result's, and how many rows of how many channels. */
export const ROW_LOOPS = {
  /** x + bias */
  addBias: { elements: 1, channels: 1, gives: 'elements', compute: ([x], [bias]) => plus(x!, bias!), means: ([x], [bias]) => x! + bias! },
  /** Σ x */
  sumRows: { elements: 1, channels: 0, gives: 'sums', compute: ([x]) => x!, means: ([x]) => x! },
  /** Σ (x − mean)² */
  sumSquares: { elements: 1, channels: 1, gives: 'sums', compute: ([x], [mean]) => times(minus(x!, mean!), minus(x!, mean!)), means: ([x], [mean]) => (x! - mean!) * (x! - mean!) },
  /** Σ dy · (x − mean) */
  sumProducts: { elements: 2, channels: 1, gives: 'sums', compute: ([dy, x], [mean]) => times(dy!, minus(x!, mean!)), means: ([dy, x], [mean]) => dy! * (x! - mean!) },
  /** (x − mean) · factor + offset */
  normalise: { elements: 1, channels: 3, gives: 'elements', compute: ([x], [mean, factor, offset]) => plus(times(minus(x!, mean!), factor!), offset!), means: ([x], [mean, factor, offset]) => (x! - mean!) * factor! + offset! },
  /** a · dy + b · (x − mean) + c */
  normaliseGrad: { elements: 2, channels: 4, gives: 'elements', compute: ([dy, x], [mean, a, b, c]) => plus(plus(times(a!, dy!), times(b!, minus(x!, mean!))), c!), means: ([dy, x], [mean, a, b, c]) => a! * dy! + b! * (x! - mean!) + c! },
  /** dy where y > 0, else 0 */
  reluGrad: { elements: 2, channels: 0, gives: 'elements', compute: ([dy, y]) => f32x4.and(dy!, f32x4.above(y!, f32x4.zero)), means: ([dy, y]) => (y! > 0 ? dy! : 0) },
} satisfies Record<string, RowLoop>;

export type RowLoopName = keyof typeof ROW_LOOPS;

export function defineRowLoops(module: Assembler): void {
  for (const [name, loop] of Object.entries<RowLoop>(ROW_LOOPS)) {
    module.define(name, loop.elements + loop.channels + 3, (parameters, local) => {
      const elements = parameters.slice(0, loop.elements);
      const channels = parameters.slice(loop.elements, -3);
      const [to, rows, width] = parameters.slice(-3);
      const [left, offset] = [local('i32'), local('i32')];
      const at = (address: (typeof parameters)[number]): Code => i32.add(get(address), get(offset));
      const step = ({ numbers, load, store }: typeof QUAD | typeof SINGLE): Code => {
        const result = loop.compute(elements.map((each) => load(get(each))), channels.map((each) => load(at(each))));
        return [
          ...(loop.gives === 'sums' ? store(at(to!), plus(load(at(to!)), result)) : [...store(get(to!), result), ...add(to!, 4 * numbers)]),
          ...elements.flatMap((each) => add(each, 4 * numbers)),
          ...add(offset, 4 * numbers),
          ...add(left, -numbers),
        ];
      };
      return [
        loopDown(
          rows!,
          set(left, get(width!)),
          set(offset, i32.constant(0)),
          ...[QUAD, SINGLE].map((form) => loopWhile(i32.atLeast(get(left), i32.constant(form.numbers)), step(form))),
        ),
      ];
    });
  }
}
