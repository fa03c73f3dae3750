// The register protocol of the file driver under every kind of bad luck: random orders of file operations, long
// freezes, deaths, and listings as weak as POSIX allows; and the freezes that it was made for, one by one.

import { randomUUID } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeFileStore } from '../../../lib/store/file.js';
import type { Store } from '../../../lib/store/index.js';
import { makeJitter } from '../../integration/store/jitter.js';
import { makeTempDir, type TempDir } from '../../support/temp.js';
import { answerNext, pauseNext, restoreFs } from './pause-fs.js';
import { scheduleFs, type Schedule } from './scheduled-fs.js';

const KEY = 'job/HEAD';
const SEEDS = 40;

/** What was written into the register: its own name and the tag it was swapped from. */
interface Content {
  id: string;
  from: string | null;
}

interface Swap {
  id: string;
  from: string | null;
  etag: string;
  startedAt: number;
  endedAt: number;
}

interface Refusal {
  from: string | null;
  endedAt: number;
}

interface Seen {
  content: Content | null;
  etag: string | null;
  startedAt: number;
  endedAt: number;
}

/** All that the actors did and saw; times are operation counts. */
interface History {
  swaps: Swap[];
  refusals: Refusal[];
  seen: Seen[];
  attempts: (Content & { startedAt: number })[];
}

/** Each with a store of its own, as processes have: one that is frozen keeps nobody else from going on. */
async function makeActors(root: string, history: History, now: () => number): Promise<Record<string, () => Promise<void>>> {
  const acting = async (act: (actor: ReturnType<typeof makeActor>) => Promise<void>): Promise<() => Promise<void>> => {
    const actor = makeActor(await makeFileStore({ root }), history, now);
    return () => act(actor);
  };
  const writer = ({ swap, read }: ReturnType<typeof makeActor>) => repeat(8, async () => swap((await read()).etag));
  return {
    writerA: await acting(writer),
    writerB: await acting(writer),
    writerC: await acting(writer),
    creator: await acting(({ swap }) => swap(null)),
    reader: await acting(({ read }) => repeat(12, read)),
  };
}

async function repeat(times: number, run: () => Promise<unknown>): Promise<void> {
  for (let i = 0; i < times; i++) await run();
}

function makeActor(store: Store, history: History, now: () => number) {
  const read = async (): Promise<Seen> => {
    const startedAt = now();
    const object = await store.get(KEY);
    const content = object === null ? null : (JSON.parse(object.body.toString()) as Content);
    const seen = { content, etag: object?.etag ?? null, startedAt, endedAt: now() };
    history.seen.push(seen);
    return seen;
  };
  const swap = async (from: string | null): Promise<void> => {
    const attempt = { id: randomUUID(), from, startedAt: now() };
    history.attempts.push(attempt);
    const body = Buffer.from(JSON.stringify({ id: attempt.id, from }));
    const outcome = from === null ? await store.putIfAbsent(KEY, body) : await store.compareAndSwap(KEY, body, from);
    if ('etag' in outcome) history.swaps.push({ ...attempt, etag: outcome.etag, endedAt: now() });
    else history.refusals.push({ from, endedAt: now() });
  };
  return { read, swap };
}

/** Every version names the one it replaced: they must form one line, which everybody agrees on. */
function checkHistory(history: History, last: Seen): void {
  const idOf = new Map<string, string>();
  for (const { id, etag } of history.swaps) idOf.set(etag, id);
  for (const { content, etag } of [...history.seen, last]) {
    if (content === null || etag === null) continue;
    expect(idOf.get(etag) ?? content.id, 'one tag, one content').toBe(content.id);
    idOf.set(etag, content.id);
  }
  const contents = new Map<string, Content>();
  for (const attempt of history.attempts) contents.set(attempt.id, attempt);

  const line: string[] = [];
  for (let content = last.content; content !== null; ) {
    line.unshift(content.id);
    const before = content.from === null ? null : (idOf.get(content.from) ?? expect.fail('a version replaced an unknown one'));
    content = before === null ? null : (contents.get(before) ?? null);
  }
  const placeOf = new Map(line.map((id, place) => [id, place]));
  const place = (id: string): number => placeOf.get(id) ?? expect.fail('a swap that was told it had won is not in the line');

  for (const done of history.swaps) place(done.id);
  for (const seen of [...history.seen, last]) {
    const at = seen.content === null ? -1 : place(seen.content.id);
    const finishedBefore = history.swaps.filter((done) => done.endedAt < seen.startedAt).map((done) => place(done.id));
    expect(at, 'a read is not older than what was finished before it').toBeGreaterThanOrEqual(Math.max(-1, ...finishedBefore));
  }
  for (const refusal of history.refusals) {
    const winner = history.attempts.find((attempt) => attempt.from === refusal.from && placeOf.has(attempt.id));
    expect(winner?.startedAt, 'who is refused has lost to somebody').toBeLessThan(refusal.endedAt);
  }
}

let folder: TempDir;
let schedule: Schedule | null = null;

beforeEach(async () => {
  folder = await makeTempDir('register');
});
afterEach(async () => {
  schedule?.restore();
  schedule = null;
  restoreFs();
  await folder.remove();
});

describe('a register under random orders of file operations', () => {
  it.each([
    ['with freezes', 0],
    ['with freezes and deaths', 150],
  ])('is one line of versions that all agree on, %s', async (_, killOneIn) => {
    let cleaned = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const root = join(folder.path, String(seed));
      const store = await makeFileStore({ root });
      const history: History = { swaps: [], refusals: [], seen: [], attempts: [] };
      let steps = (): number => 0;
      const actors = await makeActors(root, history, () => steps());
      schedule = scheduleFs(makeJitter(seed), killOneIn);
      steps = schedule.steps;
      try {
        await schedule.run(actors);
      } finally {
        schedule.restore();
      }
      const last: Seen = { content: null, etag: null, startedAt: Infinity, endedAt: Infinity };
      const object = await store.get(KEY);
      if (object !== null) Object.assign(last, { content: JSON.parse(object.body.toString()), etag: object.etag });
      try {
        checkHistory(history, last);
      } catch (error) {
        throw new Error(`with seed ${seed}`, { cause: error });
      }
      if ((await readdir(join(root, 'job')).catch((): string[] => [])).includes('HEAD.0')) cleaned += 1;
    }
    expect(cleaned, 'runs in which old versions were cleaned away').toBeGreaterThan(SEEDS / 4);
  });
});

describe('a register in the moments it was made for', () => {
  let store: Store;
  const body = (value: string): Buffer => Buffer.from(value);
  const valueNow = async (): Promise<string | undefined> => (await store.get(KEY))?.body.toString();
  const files = async (): Promise<string[]> => (await readdir(join(folder.path, 'job'))).sort();

  beforeEach(async () => {
    store = await makeFileStore({ root: folder.path });
  });

  async function create(value: string): Promise<string> {
    const outcome = await store.putIfAbsent(KEY, body(value));
    return outcome.created ? outcome.etag : expect.fail('it was there already');
  }

  /** Far enough that the versions that existed before are cleaned away. */
  async function takeOver(times = 10): Promise<string> {
    let etag = (await store.get(KEY))?.etag ?? '';
    for (let i = 1; i <= times; i++) {
      const outcome = await store.compareAndSwap(KEY, body(`takeover ${i}`), etag);
      etag = outcome.swapped ? outcome.etag : expect.fail('the only writer was refused');
    }
    return etag;
  }

  it.each([
    ['just before it links', 'link', /HEAD\.2$/],
    ['just before it makes its file', 'open', /~HEAD\.2\./],
    ['just before it looks for its predecessor', 'lstat', /HEAD\.1$/],
  ] as const)('refuses a writer that was frozen %s while others went on', async (_, operation, path) => {
    const etag = await create('first');
    if (operation === 'lstat') {
      // The first look is at the current version; the one after the file was made is meant.
      const made = pauseNext('open', /~HEAD\.2\./);
      const stale = store.compareAndSwap(KEY, body('stale'), etag);
      await made.reached;
      const frozen = pauseNext(operation, path);
      made.resume();
      await frozen.reached;
      await takeOver();
      frozen.resume();
      expect(await stale).toEqual({ swapped: false });
    } else {
      const frozen = pauseNext(operation, path);
      const stale = store.compareAndSwap(KEY, body('stale'), etag);
      await frozen.reached;
      await takeOver();
      frozen.resume();
      expect(await stale).toEqual({ swapped: false });
    }
    expect(await valueNow()).toBe('takeover 10');
    expect(await files()).not.toContain('HEAD.2');
  });

  it.each([
    ['just before it links', 'link', /HEAD\.1$/],
    ['just before it makes its file', 'open', /~HEAD\.1\./],
  ] as const)('refuses a creator that was frozen %s while others created it and went on', async (_, operation, path) => {
    const frozen = pauseNext(operation, path);
    const stale = store.putIfAbsent(KEY, body('stale'));
    await frozen.reached;
    await create('first');
    await takeOver();
    frozen.resume();
    expect(await stale).toEqual({ created: false });
    expect(await valueNow()).toBe('takeover 10');
    expect(await files()).not.toContain('HEAD.1');
  });

  it.each([
    ['just before it links', 'link', /HEAD\.3$/],
    ['just before it makes its file', 'open', /~HEAD\.3\./],
  ] as const)('stays deleted when a writer that was frozen %s comes back', async (_, operation, path) => {
    await create('first');
    const etag = await takeOver(1);
    const frozen = pauseNext(operation, path);
    const stale = store.compareAndSwap(KEY, body('stale'), etag);
    await frozen.reached;
    await store.delete(KEY);
    frozen.resume();
    expect(await stale).toEqual({ swapped: false });
    expect(await valueNow()).toBeUndefined();
  });

  it('refuses a writer that got up in the middle of the cleaning, saw its predecessor, and was frozen again', async () => {
    await create('first');
    const etag = await takeOver(1); // version 2
    const asleep = pauseNext('open', /~HEAD\.3\./);
    const stale = store.compareAndSwap(KEY, body('stale'), etag);
    await asleep.reached;
    await takeOver(2); // versions 3 and 4; nothing is cleaned yet
    const cleaning = pauseNext('unlink', /HEAD\.2$/);
    const deletion = store.delete(KEY); // version 5, then 1, 2, 3 and 4 are cleaned
    await cleaning.reached;
    const again = pauseNext('link', /HEAD\.3$/);
    asleep.resume();
    await again.reached;
    cleaning.resume();
    await deletion;
    again.resume();
    expect(await stale).toEqual({ swapped: false });
    expect(await valueNow()).toBeUndefined();
    expect(await files()).toEqual(['HEAD.0', 'HEAD.5']);
  });

  it('is not called missing by a reader whose listing came too early for the new versions and too late for the old', async () => {
    await create('first');
    await takeOver();
    const listing = answerNext('readdir', /job$/, () => []);
    expect(await valueNow()).toBe('takeover 10');
    expect(listing.hit()).toBe(true);
  });

  it('is read again by a reader whose version was cleaned away between its listing and its look', async () => {
    await create('first');
    for (const [operation, pattern] of [['lstat', /HEAD\.1$/], ['open', /HEAD\.11$/]] as const) {
      const frozen = pauseNext(operation, pattern);
      const reading = valueNow();
      await frozen.reached;
      await takeOver();
      frozen.resume();
      expect(await reading).toBe('takeover 10');
    }
  });

  it('is not harmed by a cleaner that was frozen and goes on with what it meant to remove', async () => {
    const etag = await create('first');
    await takeOver(3);
    const frozen = pauseNext('unlink', /HEAD\.1$/);
    const slow = store.compareAndSwap(KEY, body('slow'), (await store.get(KEY))?.etag ?? '');
    await frozen.reached;
    await takeOver();
    frozen.resume();
    expect(await slow).toMatchObject({ swapped: true });
    expect(await valueNow()).toBe('takeover 10');
    expect(await store.compareAndSwap(KEY, body('stale'), etag)).toEqual({ swapped: false });
  });

  it('keeps the swap of a writer that died right after its link, and loses what it left lying about', async () => {
    const etag = await create('first');
    const dead = pauseNext('unlink', /~HEAD\.2\./);
    void store.compareAndSwap(KEY, body('last words'), etag);
    await dead.reached;
    expect(await valueNow()).toBe('last words');
    await takeOver();
    expect(await files()).toEqual(['HEAD.0', 'HEAD.10', 'HEAD.11', 'HEAD.12', 'HEAD.9']);
  });

  it('never gives the same tag twice, though deleted and created anew with the same content', async () => {
    const tags = new Set<string>();
    for (let life = 0; life < 12; life++) {
      tags.add(await create('same'));
      await store.delete(KEY);
    }
    expect(tags.size).toBe(12);
    expect(await files()).toEqual(['HEAD.0', 'HEAD.24']);
  });

  it('says so when its folder is damaged instead of waiting for ever', async () => {
    await create('first');
    await takeOver();
    for (const name of await files()) if (name !== 'HEAD.0') await rm(join(folder.path, 'job', name));
    await expect(store.get(KEY)).rejects.toMatchObject({ code: 'store_unavailable' });
  });
});
