// The module of hand-written loops, made at start, on the heap that tfjs's tensors are in. Sums of products are fused
// (rounded once) where the processor and Node can: it is a third faster, and another numerics class.
import { setFlagsFromString } from 'node:v8';
import { f32x4, get, instantiate, isValid, makeAssembler, makeMemory, set, type Memory } from '../../../../../lib/wasm/assembler.js';
import { defineDepthwise } from './depthwise.js';
import { defineMaxPoolGrad } from './pooling.js';
import { defineAccumulate, defineMultiply, definePack } from './products.js';
import { defineRowLoops, type RowLoopName } from './rows.js';

/** Addresses, counts and steps, in the order that is said where the function is defined. */
type Loop = (...numbers: number[]) => void;

export type Loops = Readonly<Record<'multiply' | 'accumulate' | 'pack' | 'maxPoolGrad' | 'depthwise' | 'depthwiseGrad' | RowLoopName, Loop>> & {
  /** Whether products are added unrounded. */
  readonly fused: boolean;
};

/** @param fuse false: even if they could be */
export function makeLoops(memory: Memory, fuse: boolean): Loops {
  const fused = fuse && canFuse();
  const module = makeAssembler();
  defineMultiply(module, fused);
  defineAccumulate(module, fused);
  definePack(module);
  defineRowLoops(module);
  defineMaxPoolGrad(module);
  defineDepthwise(module, fused);
  return { fused, ...instantiate<Omit<Loops, 'fused'>>(module.assemble(), memory) };
}

/** Whether a · b + c is rounded once: relaxed SIMD leaves it to the processor. */
function canFuse(): boolean {
  const probe = makeAssembler();
  probe.define('probe', 1, ([at], local) => {
    const [a, c] = [local('v128'), local('v128')];
    return [set(a, f32x4.loadSplat(get(at!))), set(c, f32x4.loadSplat(get(at!), 4)), f32x4.storeOne(get(at!), f32x4.multiplyAdd(get(a), get(a), get(c)))];
  });
  const bytes = probe.assemble();
  // without a flag from V8 11.4 on (Node 22): https://chromestatus.com/feature/5131674233028608
  if (!isValid(bytes)) setFlagsFromString('--experimental-wasm-relaxed-simd');
  if (!isValid(bytes)) return false;
  const memory = makeMemory(1);
  const numbers = new Float32Array(memory.buffer);
  // (1 + 2⁻¹²)² = 1 + 2⁻¹¹ + 2⁻²⁴, whose last term is lost where the product is rounded
  numbers.set([1 + 2 ** -12, -(1 + 2 ** -11)]);
  instantiate<{ probe: Loop }>(bytes, memory).probe(0);
  return numbers[0] === 2 ** -24;
}
