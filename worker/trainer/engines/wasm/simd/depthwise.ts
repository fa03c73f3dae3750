// One window of a depthwise convolution and of its gradients, over all of its channels. Terms are added line by line.
import { add, f32x4, get, i32, loopDown, loopWhile, QUAD, set, SINGLE, type Assembler, type Code, type Local } from '../../../../../lib/wasm/assembler.js';
import { multiplyAdd } from './products.js';

type Form = typeof QUAD | typeof SINGLE;

/**
 * depthwise(a, b, y, lines, columns, aPitch, bPitch, channels), pitches in bytes:
 *   y[c] = Σ over line < lines, i < columns of a[line·aPitch + i·pixel + 4c] · b[line·bPitch + i·pixel + 4c]
 * depthwiseGrad, of the same parameters with dy for y:
 *   a[line·aPitch + i·pixel + 4c] += b[line·bPitch + i·pixel + 4c] · dy[c]
 * A pixel is 4 · channels.
 */
export function defineDepthwise(module: Assembler, fused: boolean): void {
  defineWindow(module, 'depthwise', (value, y, a, b, { load, store }) => ({
    before: set(value, f32x4.zero),
    each: multiplyAdd(fused, value, load(a), load(b)),
    after: store(y, get(value)),
  }));
  defineWindow(module, 'depthwiseGrad', (value, dy, a, b, { load, store }) => ({
    before: set(value, load(dy)),
    each: store(a, f32x4.add(load(a), f32x4.multiply(load(b), get(value)))),
    after: [],
  }));
}

type Body = (value: Local, channel: Code, a: Code, b: Code, form: Form) => Record<'before' | 'each' | 'after', Code>;

/** Before, for each pixel, and after the pixels: for four channels at once, then for those that are left. */
function defineWindow(module: Assembler, name: string, body: Body): void {
  module.define(name, 8, ([a, b, c, lines, columns, aPitch, bPitch, channels], local) => {
    const [line, column, aLine, bLine, aPixel, bPixel, pixel] = Array.from({ length: 7 }, () => local('i32')) as [Local, Local, Local, Local, Local, Local, Local];
    const value = local('v128');
    const step = (form: Form): Code => {
      const { before, each, after } = body(value, get(c!), get(aPixel), get(bPixel), form);
      return [
        ...before,
        ...set(line, get(lines!)),
        ...set(aLine, get(a!)),
        ...set(bLine, get(b!)),
        ...loopDown(
          line,
          set(column, get(columns!)),
          set(aPixel, get(aLine)),
          set(bPixel, get(bLine)),
          loopDown(column, each, add(aPixel, get(pixel)), add(bPixel, get(pixel))),
          add(aLine, get(aPitch!)),
          add(bLine, get(bPitch!)),
        ),
        ...after,
        ...[a!, b!, c!].flatMap((address) => add(address, 4 * form.numbers)),
        ...add(channels!, -form.numbers),
      ];
    };
    return [set(pixel, i32.multiply(get(channels!), i32.constant(4))), ...[QUAD, SINGLE].map((form) => loopWhile(i32.atLeast(get(channels!), i32.constant(form.numbers)), step(form)))];
  });
}
