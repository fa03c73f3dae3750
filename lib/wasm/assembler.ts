// WebAssembly written by hand: instructions as lists of bytes, and the module around them. Only what the loops that are
// made with it need. https://webassembly.github.io/spec/core/binary/
export type Code = readonly number[];
/** A parameter or local of the function that is being written. */
export type Local = number & { readonly local: unique symbol };

const TYPES = { i32: 0x7f, v128: 0x7b } as const;
export type Type = keyof typeof TYPES;

const unsigned = (value: number): Code => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)]);
const signed = (value: number): Code => (value >= -64 && value < 64 ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)]);
const list = (items: readonly Code[]): Code => [...unsigned(items.length), ...items.flat()];
const sized = (bytes: Code): Code => [...unsigned(bytes.length), ...bytes];
const text = (value: string): Code => sized([...Buffer.from(value)]);

const binary = (...opcode: number[]) => (left: Code, right: Code): Code => [...left, ...right, ...opcode];
const simd = (opcode: number): Code => [0xfd, ...unsigned(opcode)];
const binarySimd = (opcode: number) => binary(...simd(opcode));
/** With the alignment that is promised, as a power of two, and an offset in bytes. */
const load = (opcode: Code, align: number) => (address: Code, offset = 0): Code => [...address, ...opcode, align, ...unsigned(offset)];
const store = (opcode: Code, align: number, ...lane: number[]) => (address: Code, value: Code, offset = 0): Code => [...address, ...value, ...opcode, align, ...unsigned(offset), ...lane];

export const get = (local: Local): Code => [0x20, ...unsigned(local)];
export const set = (local: Local, value: Code): Code => [...value, 0x21, ...unsigned(local)];

export const i32 = {
  constant: (value: number): Code => [0x41, ...signed(value)],
  load: load([0x28], 2),
  store: store([0x36], 2),
  add: binary(0x6a),
  subtract: binary(0x6b),
  multiply: binary(0x6c),
  atLeast: binary(0x4e),
};
export const add = (local: Local, value: Code | number): Code => set(local, i32.add(get(local), typeof value === 'number' ? i32.constant(value) : value));

/** Four float32 lanes. Loads and stores promise four bytes of alignment. */
export const f32x4 = {
  zero: [...simd(0x0c), ...Array<number>(16).fill(0)],
  load: load(simd(0x00), 2),
  store: store(simd(0x0b), 2),
  /** One number in all lanes. */
  loadSplat: load(simd(0x09), 2),
  /** One or two numbers, and zeros. */
  loadOne: load(simd(0x5c), 2),
  loadTwo: load(simd(0x5d), 2),
  storeOne: store(simd(0x5a), 2, 0),
  storeTwo: store(simd(0x5b), 2, 0),
  add: binarySimd(0xe4),
  subtract: binarySimd(0xe5),
  multiply: binarySimd(0xe6),
  /** Relaxed: a · b + c, rounded once where the processor can. */
  multiplyAdd: (a: Code, b: Code, c: Code): Code => [...a, ...b, ...c, ...simd(0x105)],
  /** Comparisons give all bits or none of a lane. */
  equal: binarySimd(0x41),
  above: binarySimd(0x44),
  and: binarySimd(0x4e),
  /** left, without the bits of right */
  andNot: binarySimd(0x4f),
  or: binarySimd(0x50),
} as const;

/** Four int32 lanes, which wrap. Loads and stores are those of float32. */
export const i32x4 = {
  /** 0, 1, 2, 3 */
  iota: [...simd(0x0c), ...[0, 1, 2, 3].flatMap((lane) => [lane, 0, 0, 0])] as Code,
  splat: (value: Code): Code => [...value, ...simd(0x11)],
  and: binarySimd(0x4e),
  xor: binarySimd(0x51),
  /** Zeros come in from above. */
  shiftRight: (value: Code, bits: number): Code => [...value, ...i32.constant(bits), ...simd(0xad)],
  add: binarySimd(0xae),
  multiply: binarySimd(0xb5),
  /** All bits or none of a lane, signed. */
  atLeast: binarySimd(0x3f),
} as const;

/** How many numbers are read and written at once: a whole vector, or the first of one. */
export const QUAD = { numbers: 4, load: f32x4.load, store: f32x4.store } as const;
export const SINGLE = { numbers: 1, load: f32x4.loadOne, store: f32x4.storeOne } as const;

/** While `condition` is not 0. */
export const loopWhile = (condition: Code, ...body: Code[]): Code => [0x02, 0x40, 0x03, 0x40, ...condition, 0x45, 0x0d, 1, ...body.flat(), 0x0c, 0, 0x0b, 0x0b];
/** At least once, then as often as the counter, counted down, is not 0. */
export const loopDown = (counter: Local, ...body: Code[]): Code => [0x03, 0x40, ...body.flat(), ...set(counter, i32.subtract(get(counter), i32.constant(1))), ...get(counter), 0x0d, 0, 0x0b];

export interface Assembler {
  /**
   * Adds a function of integers that answers nothing, and answers how it is called from others.
   * @param name under which it is exported, if it is
   */
  define(name: string | null, parameters: number, write: (parameters: readonly Local[], local: (type: Type) => Local) => readonly Code[]): (...operands: Code[]) => Code;
  /** The module. It imports the memory that it works on, `heap.memory`. */
  assemble(): Uint8Array;
}

export function makeAssembler(): Assembler {
  const functions: { name: string | null; parameters: number; body: Code }[] = [];
  return {
    define(name, parameters, write) {
      const locals: Type[] = [];
      const numbers = Array.from({ length: parameters }, (_, index) => index as Local);
      const code = write(numbers, (type) => (parameters + locals.push(type) - 1) as Local).flat();
      const index = functions.push({ name, parameters, body: [...list(locals.map((type) => [1, TYPES[type]])), ...code, 0x0b] }) - 1;
      return (...operands) => [...operands.flat(), 0x10, ...unsigned(index)];
    },
    assemble() {
      const section = (id: number, items: readonly Code[]): Code => [id, ...sized(list(items))];
      const exported = functions.map(({ name }, index) => ({ name, index })).filter(({ name }) => name !== null);
      return Uint8Array.from([
        ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
        ...section(1, functions.map(({ parameters }) => [0x60, ...list(Array<Code>(parameters).fill([TYPES.i32])), 0])),
        ...section(2, [[...text('heap'), ...text('memory'), 2, 0, 1]]),
        ...section(3, functions.map((_, index) => unsigned(index))),
        ...section(7, exported.map(({ name, index }) => [...text(name!), 0, ...unsigned(index)])),
        ...section(10, functions.map(({ body }) => sized(body))),
      ]);
    },
  };
}

/** What is used of it; the library of types is that of browsers. */
declare const WebAssembly: {
  validate(bytes: Uint8Array): boolean;
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: { heap: { memory: Memory } }) => { exports: unknown };
  Memory: new (limits: { initial: number }) => Memory;
};
/** Grows in place: its buffer is another one afterwards. */
export interface Memory {
  readonly buffer: ArrayBuffer;
}

/** Bytes of a page. */
export const PAGE_BYTES = 65_536;
export const makeMemory = (pages: number): Memory => new WebAssembly.Memory({ initial: pages });
/** Whether this processor and this Node can run it. */
export const isValid = (bytes: Uint8Array): boolean => WebAssembly.validate(bytes);
/** Its functions, by name. */
export const instantiate = <T>(bytes: Uint8Array, memory: Memory): T => new WebAssembly.Instance(new WebAssembly.Module(bytes), { heap: { memory } }).exports as T;
