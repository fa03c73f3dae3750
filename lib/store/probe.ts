// Whether a store keeps the promises that everything else rests on. Some servers take conditional writes and ignore
// the condition; a program that trusted such a one would lose work silently, so it is asked before use.

import { randomUUID } from 'node:crypto';
import { AppError, isAppError } from '../errors.js';
import type { Store } from './index.js';

const RACERS = 8;
const READERS = 4;
const SWAPS_UNDER_READERS = 24;
/** Then there are fewer: some servers take a write of a key a second. */
const SWAPS_MOST_MS = 5_000;

/** Throws `store_unsafe` with what was wrong, or the store's own error if it does not answer. */
export async function probeStore(store: Store): Promise<void> {
  const folder = `probe/${randomUUID()}`;
  const object = `${folder}/object`;
  const register = `${folder}/HEAD`;
  const nothing = `${folder}/none/HEAD`;
  const unsafe = (reason: string): AppError => new AppError('store_unsafe', `${store.description} cannot be used: ${reason}`);
  try {
    for (const key of [object, register]) await probeCreates(store, key, unsafe);
    await probeSwaps(store, register, unsafe);
    await probeReads(store, register, unsafe);
    const created = await store.compareAndSwap(nothing, Buffer.from('none'), (await readBack(store, register, unsafe)).etag);
    if (created.swapped) throw unsafe('a swap created what was not there');
    await probeList(store, `${folder}/`, [register, object], unsafe);
  } finally {
    await Promise.allSettled([object, register, nothing].map((key) => store.delete(key)));
  }
  for (const key of [object, register]) {
    if ((await store.head(key)) !== null) throw unsafe('a deleted object is still there');
  }
}

type Unsafe = (reason: string) => AppError;

async function probeCreates(store: Store, key: string, unsafe: Unsafe): Promise<void> {
  const winners = await race('creates', (body) => store.putIfAbsent(key, body), (outcome) => outcome.created, unsafe);
  const stored = await readBack(store, key, unsafe);
  if (!winners.includes(stored.text)) throw unsafe('the create that won is not the one that was stored');
  const late = await store.putIfAbsent(key, Buffer.from('late'));
  if (late.created) throw unsafe('a create replaced what was there');
  if ((await readBack(store, key, unsafe)).text !== stored.text) throw unsafe('a create that was refused was stored');
}

async function probeSwaps(store: Store, key: string, unsafe: Unsafe): Promise<void> {
  const first = await readBack(store, key, unsafe);
  const right = await store.compareAndSwap(key, Buffer.from('right'), first.etag);
  if (!right.swapped) throw unsafe('a swap with the right tag was refused');
  const stale = await store.compareAndSwap(key, Buffer.from('stale'), first.etag);
  if (stale.swapped) throw unsafe('a swap with a stale tag was accepted');
  const second = await readBack(store, key, unsafe);
  if (second.text !== 'right' || second.etag !== right.etag) throw unsafe('a swap is not read back as it was written');
  const swap = (body: Buffer): ReturnType<Store['compareAndSwap']> => store.compareAndSwap(key, body, second.etag);
  const winners = await race('swaps', swap, (outcome) => outcome.swapped, unsafe);
  const third = await readBack(store, key, unsafe);
  if (!winners.includes(third.text)) throw unsafe('the swap that won is not the one that was stored');
}

/**
 * A read must never pair a body with the tag of a later one: the next swap by that tag would undo what came between. A tag that is
 * older than its body does no harm, since a swap by it is refused. Servers that keep tags apart from bodies mix them when a read
 * meets a write, so this finds them often, not always.
 */
async function probeReads(store: Store, key: string, unsafe: Unsafe): Promise<void> {
  const first = await readBack(store, key, unsafe);
  let { etag } = first;
  const ages = { text: new Map([[first.text, 0]]), etag: new Map([[etag, 0]]) };
  const seen: { text: string; etag: string }[] = [];
  let writing = true;
  const read = async (): Promise<void> => {
    while (writing) seen.push(await readBack(store, key, unsafe));
  };
  const write = async (): Promise<void> => {
    const until = performance.now() + SWAPS_MOST_MS;
    for (let i = 1; i <= SWAPS_UNDER_READERS && (i === 1 || performance.now() < until); i++) {
      const text = `swap ${i} ${randomUUID()}`;
      const outcome = await store.compareAndSwap(key, Buffer.from(text), etag);
      if (!outcome.swapped) throw unsafe('a swap with the right tag was refused');
      etag = outcome.etag;
      ages.text.set(text, i);
      ages.etag.set(etag, i);
    }
  };
  const all = [write(), ...Array.from({ length: READERS }, read)];
  await Promise.race(all).finally(() => (writing = false)); // the writer is done, or somebody failed
  await Promise.all(all);
  const age = (of: Map<string, number>, value: string): number => of.get(value) ?? NaN;
  const torn = seen.some((object) => !(age(ages.etag, object.etag) <= age(ages.text, object.text)));
  if (torn) throw unsafe('a read during a swap paired the body of one version with the tag of a later one');
}

async function probeList(store: Store, prefix: string, keys: readonly string[], unsafe: Unsafe): Promise<void> {
  const listed: string[] = [];
  for await (const info of store.list(prefix)) listed.push(info.key);
  if (listed.join() !== keys.join()) throw unsafe(`it lists ${listed.length} of ${keys.length} objects just written, or in another order`);
}

/**
 * The texts that may now be stored: the one that was told that it had won. Some servers give up on a write that
 * collides with another, which is no lie: if nobody was told, it may be one of those that were left without an answer.
 */
async function race<T>(
  what: string,
  write: (body: Buffer) => Promise<T>,
  won: (outcome: T) => boolean,
  unsafe: Unsafe,
): Promise<string[]> {
  const texts = Array.from({ length: RACERS }, (_, i) => `racer ${i} ${randomUUID()}`);
  const outcomes = await Promise.allSettled(texts.map((text) => write(Buffer.from(text))));
  const winners: string[] = [];
  const unanswered: string[] = [];
  const failures: unknown[] = [];
  outcomes.forEach((outcome, i) => {
    const text = texts[i] ?? '';
    if (outcome.status === 'fulfilled') {
      if (won(outcome.value)) winners.push(text);
    } else {
      unanswered.push(text);
      failures.push(outcome.reason);
    }
  });
  const fatal = failures.find((error) => !isAppError(error, 'store_unavailable'));
  if (fatal !== undefined || failures.length === RACERS) throw fatal ?? failures[0];
  if (winners.length > 1) throw unsafe(`of ${RACERS} racing ${what}, ${winners.length} were told that they had won`);
  return winners.length === 1 ? winners : unanswered;
}

async function readBack(store: Store, key: string, unsafe: Unsafe): Promise<{ text: string; etag: string }> {
  const object = await store.get(key).catch((error: unknown) => {
    // Read several times, and each time with the digest of another version, or damaged.
    throw isAppError(error, 'checkpoint_corrupt') ? unsafe('a read gave what nobody had written: parts of two versions, or damaged bytes') : error;
  });
  if (object === null) throw unsafe('what was just written is not there');
  return { text: object.body.toString(), etag: object.etag };
}
