// Test-only: IDX files put together by hand, right or wrong in any chosen place.

export interface IdxParts {
  /** 0x08 uint8, 0x09 int8, 0x0b int16, 0x0c int32. */
  type?: number;
  shape: readonly number[];
  /** Values, big-endian. */
  data: Uint8Array;
  /** Replaces the first four bytes. */
  magic?: number;
}

export function idxOf({ type = 0x08, shape, data, magic }: IdxParts): Buffer {
  const head = Buffer.alloc(4 + 4 * shape.length);
  head.writeUInt32BE(magic ?? (type << 8) + shape.length);
  shape.forEach((size, i) => head.writeUInt32BE(size, 4 + 4 * i));
  return Buffer.concat([head, data]);
}

/** The values of an array, big-endian. */
export function bigEndian(values: Int16Array | Int32Array): Uint8Array {
  const bytes = Buffer.from(Buffer.from(values.buffer, values.byteOffset, values.byteLength));
  return values.BYTES_PER_ELEMENT === 2 ? bytes.swap16() : bytes.swap32();
}

/** A small right set: images [4, 2, 2] uint8, labels [4] uint8. */
export function smallIdx(changes: { images?: Partial<IdxParts>; labels?: Partial<IdxParts> } = {}): { images: Buffer; labels: Buffer } {
  return {
    images: idxOf({ shape: [4, 2, 2], data: Uint8Array.from({ length: 16 }, (_, i) => i * 17), ...changes.images }),
    labels: idxOf({ shape: [4], data: Uint8Array.of(0, 2, 1, 2), ...changes.labels }),
  };
}
