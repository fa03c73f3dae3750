// The gradient of one window of max pooling, over all of its channels.
import { add, f32x4, get, i32, loopDown, loopWhile, QUAD, set, SINGLE, type Assembler, type Code } from '../../../../../lib/wasm/assembler.js';

/**
 * maxPoolGrad(x, dx, y, dy, lines, columns, linePitch, pixelPitch, channels), pitches in bytes: adds dy to dx where x is the
 * window's largest, y: once for each channel, at the first such place in reading order.
 */
export function defineMaxPoolGrad(module: Assembler): void {
  module.define('maxPoolGrad', 9, ([x, dx, y, dy, lines, columns, linePitch, pixelPitch, channels], local) => {
    const [line, column, lineOffset, offset] = [local('i32'), local('i32'), local('i32'), local('i32')];
    const [largest, slope, found, here] = [local('v128'), local('v128'), local('v128'), local('v128')];
    const step = ({ numbers, load, store }: typeof QUAD | typeof SINGLE): Code => {
      const target = i32.add(get(dx!), get(offset));
      return [
        ...set(largest, load(get(y!))),
        ...set(slope, load(get(dy!))),
        ...set(found, f32x4.zero),
        ...set(line, get(lines!)),
        ...set(lineOffset, i32.constant(0)),
        ...loopDown(
          line,
          set(column, get(columns!)),
          set(offset, get(lineOffset)),
          loopDown(
            column,
            set(here, f32x4.andNot(f32x4.equal(load(i32.add(get(x!), get(offset))), get(largest)), get(found))),
            store(target, f32x4.add(load(target), f32x4.and(get(slope), get(here)))),
            set(found, f32x4.or(get(found), get(here))),
            add(offset, get(pixelPitch!)),
          ),
          add(lineOffset, get(linePitch!)),
        ),
        ...[x!, dx!, y!, dy!].flatMap((address) => add(address, 4 * numbers)),
        ...add(channels!, -numbers),
      ];
    };
    return [QUAD, SINGLE].map((form) => loopWhile(i32.atLeast(get(channels!), i32.constant(form.numbers)), step(form)));
  });
}
