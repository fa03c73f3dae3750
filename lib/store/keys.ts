// Which strings are keys, which keys are registers, and which verb may write what: the rules both drivers share.
// Breaking them is a mistake in the caller, not a failure of the store, so they throw TypeErrors.

export const REGISTER_NAME = 'HEAD';

/** Names by which the file driver keeps the versions of a register; never part of a key. */
const RESERVED_SEGMENT = /^HEAD\.\d+$/;
const SEGMENT = /^[A-Za-z0-9._-]+$/;
const MAX_KEY_BYTES = 1024;
/** NAME_MAX of every common file system. */
const MAX_SEGMENT_BYTES = 255;

export function isRegister(key: string): boolean {
  return key === REGISTER_NAME || key.endsWith(`/${REGISTER_NAME}`);
}

export function isKey(text: string): boolean {
  if (text.length > MAX_KEY_BYTES) return false;
  const segments = text.split('/');
  return segments.every((segment, i) => isSegment(segment) && (segment !== REGISTER_NAME || i === segments.length - 1));
}

export function isSegment(name: string): boolean {
  return SEGMENT.test(name) && name.length <= MAX_SEGMENT_BYTES && name !== '.' && name !== '..' && !RESERVED_SEGMENT.test(name);
}

/** Whether any key could start with `prefix`. One that climbs (`../`) or is absolute matches nothing, and no server is asked. */
export function couldStartKey(prefix: string): boolean {
  const segments = prefix.split('/');
  const last = segments.pop() ?? '';
  return segments.every(isSegment) && /^[A-Za-z0-9._-]*$/.test(last);
}

export function assertKey(key: string): void {
  if (!isKey(key)) throw new TypeError(`not a store key: ${JSON.stringify(key)}`);
}

export function assertPut(key: string): void {
  assertKey(key);
  if (isRegister(key)) throw new TypeError(`${key} is a register: putIfAbsent creates it, compareAndSwap changes it`);
}

export function assertPutIfAbsent(key: string, body: Uint8Array): void {
  assertKey(key);
  if (isRegister(key)) assertRegisterBody(key, body);
}

export function assertCompareAndSwap(key: string, body: Uint8Array): void {
  assertKey(key);
  if (!isRegister(key)) throw new TypeError(`${key} is no register (its last segment is not ${REGISTER_NAME})`);
  assertRegisterBody(key, body);
}

export function assertRange({ start, end }: { start: number; end: number }): void {
  const valid = Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start <= end;
  if (!valid) throw new TypeError(`not a byte range: ${start}-${end}`);
}

/** HTTP writes a tag as `"tag"`; here it is `tag`, and some S3 servers compare it only so. */
export function withoutQuotes(etag: string): string {
  return etag.replace(/^(?:W\/)?"(.*)"$/, '$1');
}

/** The file driver marks a deleted register by an empty version. */
function assertRegisterBody(key: string, body: Uint8Array): void {
  if (body.byteLength === 0) throw new TypeError(`the register ${key} cannot be empty`);
}
