import { describe, expect, it } from 'vitest';
import type { AppError} from '../../../lib/errors.js';
import { isAppError } from '../../../lib/errors.js';
import { parseSafetensorsHeader } from '../../../lib/checkpoints/safetensors-header.js';
import { decodeSafetensors, encodeSafetensors } from '../../../lib/checkpoints/safetensors.js';
import { SAFETENSORS_WIDTHS, type SafetensorsDtype } from '../../../lib/checkpoints/safetensors-format.js';
import { anyTensors, fc } from './arbitrary.js';
import { fileOf, member, tensorOfBits, widthOf } from './files.js';
import { HOSTILE } from './hostile-files.js';

const four = Buffer.alloc(4);
const eight = Buffer.alloc(8);

function thrownBy(run: () => unknown): AppError {
  try {
    run();
  } catch (error) {
    if (isAppError(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('a hostile safetensors file', () => {
  it.each(HOSTILE)('is refused: %s', (_what, bytes, message) => {
    const error = thrownBy(() => decodeSafetensors(bytes));
    expect(error.code).toBe('checkpoint_corrupt');
    expect(error.message).toContain(message);
  });

  it('is refused with the code and the name that the caller chose', () => {
    const error = thrownBy(() => decodeSafetensors(Buffer.alloc(3), { code: 'invalid_data', label: 'init.safetensors' }));
    expect([error.code, error.message.startsWith('init.safetensors: ')]).toEqual(['invalid_data', true]);
  });

  it('cannot make a message as long as itself', () => {
    const error = thrownBy(() => decodeSafetensors(fileOf(`{"${'n'.repeat(1_000_000)}":${member('F31', [1], 0, 4)}}`, four)));
    expect(error.message.length).toBeLessThan(400);
  });

  it('with a long run of escapes or digits is scanned in linear time', () => {
    const begun = performance.now();
    thrownBy(() => parseSafetensorsHeader(fileOf(`{"${'\\'.repeat(2_000_001)}"`)));
    thrownBy(() => parseSafetensorsHeader(fileOf(`{"${'\\"'.repeat(1_000_000)}`)));
    thrownBy(() => parseSafetensorsHeader(fileOf(`{"a":{"shape":[${'1,'.repeat(500_000)}`)));
    thrownBy(() => parseSafetensorsHeader(fileOf('{"a":'.repeat(300_000))));
    expect(performance.now() - begun).toBeLessThan(2_000);
  });
});

describe('the structure of every type', () => {
  it.each(Object.keys(SAFETENSORS_WIDTHS) as SafetensorsDtype[])('%s is recognised by its width', (dtype) => {
    const bytes = 3 * widthOf(dtype);
    const header = parseSafetensorsHeader(fileOf(`{"a":${member(dtype, [3, 1], 0, bytes)}}`, Buffer.alloc(bytes)));
    expect(header.entries).toEqual([{ name: 'a', dtype, shape: [3, 1], begin: 0, end: bytes }]);
    thrownBy(() => parseSafetensorsHeader(fileOf(`{"a":${member(dtype, [3, 1], 0, bytes - 1)}}`, Buffer.alloc(bytes - 1))));
  });

  it('other types than F32 and I32 are named when their values are asked for', () => {
    const bytes = fileOf(`{"ok":${member('F32', [1], 0, 4)},"w":${member('BF16', [2], 4, 8)}}`, eight);
    expect(() => decodeSafetensors(bytes)).toThrow('tensor "w" is BF16; only F32 and I32 can be read');
  });

  it('metadata of strings is read, also under names that objects inherit', () => {
    const { metadata } = parseSafetensorsHeader(fileOf('{"__metadata__":{"format":"pt","__proto__":"x","":""}}'));
    expect([...metadata]).toEqual([['format', 'pt'], ['__proto__', 'x'], ['', '']]);
  });

  it('needs only the header, and the size of the file', () => {
    const bytes = encodeSafetensors(new Map([['w', tensorOfBits('F32', [1000], Array<number>(1000).fill(0))]]));
    const { entries, dataStart } = parseSafetensorsHeader(bytes.subarray(0, bytes.length - 4000), bytes.length);
    expect([entries[0]?.end, dataStart]).toEqual([4000, bytes.length - 4000]);
    thrownBy(() => parseSafetensorsHeader(bytes.subarray(0, 20), bytes.length));
  });
});

describe('a damaged safetensors file', () => {
  /** Either it reads, with exactly as many bytes as the file has, or it is an AppError: nothing else. */
  function readsOrIsRefused(bytes: Uint8Array): void {
    let decoded: ReturnType<typeof decodeSafetensors>;
    try {
      decoded = decodeSafetensors(bytes);
    } catch (error) {
      if (!isAppError(error, 'checkpoint_corrupt')) throw error;
      return;
    }
    let total = 0;
    for (const { data } of decoded.values()) total += data.byteLength;
    expect(total).toBeLessThanOrEqual(bytes.byteLength);
  }

  it('with flipped, inserted or cut bytes never does anything but read or be refused', () => {
    fc.assert(
      fc.property(anyTensors(4), fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 8 }), fc.option(fc.nat()), (tensors, changes, cut) => {
        let bytes = Buffer.from(encodeSafetensors(tensors, { format: 'pawl' }));
        for (const [where, value] of changes) bytes[where % bytes.length] = value;
        if (cut !== null) bytes = bytes.subarray(0, cut % (bytes.length + 1));
        readsOrIsRefused(bytes);
      }),
      { numRuns: 1500 },
    );
  });

  it('with a header mutated as text never does anything but read or be refused', () => {
    const tokens = ['{', '}', '[', ']', ',', ':', '"', '\\', '0', '9', '-', '.', 'e', ' ', '"dtype"', '"shape"', 'null', '99999999999999999999', '__proto__', '\u0000'];
    fc.assert(
      fc.property(anyTensors(3), fc.array(fc.tuple(fc.nat(), fc.nat(3), fc.constantFrom(...tokens)), { minLength: 1, maxLength: 4 }), (tensors, edits) => {
        const whole = encodeSafetensors(tensors);
        const { dataStart } = parseSafetensorsHeader(whole);
        let text = whole.subarray(8, dataStart).toString();
        for (const [where, remove, insert] of edits) {
          const at = where % (text.length + 1);
          text = text.slice(0, at) + insert + text.slice(at + remove);
        }
        readsOrIsRefused(fileOf(text, whole.subarray(dataStart)));
      }),
      { numRuns: 1500 },
    );
  });

  it('allocates nothing of what it only claims', () => {
    const claims = [
      fileOf('{}', undefined, 99_999_999n),
      fileOf(`{"a":${member('F32', [2 ** 40], 0, 2 ** 42)}}`, four),
      fileOf(`{"a":${member('F32', [2 ** 28], 0, 2 ** 30)}}`, four),
    ];
    const before = process.memoryUsage().arrayBuffers;
    for (const bytes of claims) thrownBy(() => decodeSafetensors(bytes));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
  });
});
