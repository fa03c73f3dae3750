// Test-only: safetensors files put together by hand, right or wrong, and tensors from bit patterns.
import { SAFETENSORS_WIDTHS, type SafetensorsDtype } from '../../../lib/checkpoints/safetensors-format.js';
import type { HostTensor } from '../../../lib/training/state.js';

/** A file of this header text and data; `claimed` lies about the header's length. */
export function fileOf(header: string | Uint8Array, data: Uint8Array = new Uint8Array(0), claimed?: bigint): Buffer {
  const text = typeof header === 'string' ? Buffer.from(header) : header;
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(claimed ?? BigInt(text.length));
  return Buffer.concat([length, text, data]);
}

/** One tensor's member of a header. */
export function member(dtype: string, shape: unknown, begin: unknown, end: unknown): string {
  return `{"dtype":"${dtype}","shape":${JSON.stringify(shape)},"data_offsets":[${String(begin)},${String(end)}]}`;
}

export function widthOf(dtype: SafetensorsDtype): number {
  return SAFETENSORS_WIDTHS[dtype];
}

/** A tensor whose values have exactly these bits. */
export function tensorOfBits(dtype: 'F32' | 'I32', shape: readonly number[], bits: readonly number[]): HostTensor {
  const { buffer } = Uint32Array.from(bits);
  return dtype === 'F32' ? { dtype, shape, data: new Float32Array(buffer) } : { dtype, shape, data: new Int32Array(buffer) };
}

export function bitsOf(tensor: HostTensor | undefined): number[] {
  if (tensor === undefined) throw new Error('no such tensor');
  return [...new Uint32Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.length)];
}
