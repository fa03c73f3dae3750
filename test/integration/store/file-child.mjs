// A process with a file store of its own. Says what it does on standard output, one line each, written at once.
// Usage: node file-child.mjs <module with makeFileStore> <root> <role> [argument]

import { createHash, randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { dirname, join } from 'node:path';

const [modulePath, root, role, argument] = process.argv.slice(2);
const say = (line) => writeSync(1, `${line}\n`);

/** Freezes this process just before it first does `operation` on a path that matches. */
function freezeBefore(operation, pattern) {
  const call = calls[operation];
  let frozen = false;
  calls[operation] = async (...args) => {
    const path = operation === 'link' ? args[1] : args[0];
    if (!frozen && pattern.test(path)) {
      frozen = true;
      say('freezing');
      process.kill(process.pid, 'SIGSTOP');
    }
    return call(...args);
  };
}

async function increment(store, key) {
  for (;;) {
    const before = await store.get(key);
    const { count } = JSON.parse(before.body.toString());
    const body = Buffer.from(JSON.stringify({ count: count + 1, writer: process.pid }));
    const outcome = await store.compareAndSwap(key, body, before.etag);
    if (outcome.swapped) return count + 1;
  }
}

const roles = {
  async count(store) {
    for (let i = 0; i < Number(argument); i++) await increment(store, 'job/HEAD');
    say('done');
  },

  async swap(store) {
    const before = await store.get('job/HEAD');
    freezeBefore(argument, argument === 'link' ? /HEAD\.\d+$/ : /~HEAD\./);
    const outcome = await store.compareAndSwap('job/HEAD', Buffer.from('{"count":-1}'), before.etag);
    say(`swapped ${outcome.swapped}`);
  },

  /** Until it is killed: objects that carry their own hash, and a count, each said once it is done. */
  async churn(store) {
    for (let i = 0; ; i++) {
      const bytes = randomBytes(200_000);
      const body = Buffer.concat([createHash('sha256').update(bytes).digest(), bytes]);
      const key = `data/${process.pid}/${i % 5}`;
      await (i % 2 === 0 ? store.put(key, body) : store.putIfAbsent(`${key}-${i}`, body));
      say(`count ${await increment(store, 'job/HEAD')}`);
      if (i % 7 === 6) await store.delete(key);
    }
  },

  /** Writes by every verb until the store is full, then says what it made of that. */
  async fill(store) {
    await store.putIfAbsent('job/HEAD', Buffer.from('{"count":0}'));
    const small = Buffer.alloc(1000, 1);
    const big = Buffer.alloc(Number(argument), 1);
    await store.put('data/small', small);
    const writes = {
      put: () => store.put('data/big', big),
      putIfAbsent: () => store.putIfAbsent('data/new', big),
      compareAndSwap: async () => store.compareAndSwap('job/HEAD', big, (await store.get('job/HEAD')).etag),
    };
    for (const [verb, write] of Object.entries(writes)) {
      const outcome = await write().then(() => 'done', (error) => `${error.code} ${error.cause?.code}`);
      say(`${verb} ${outcome}`);
    }
    await store.put('data/after', small);
    say('small still fits');
  },
};

const { makeFileStore } = await import(modulePath);
const { calls } = await import(join(dirname(modulePath), 'file-calls.js'));
const store = await makeFileStore({ root });
say('ready');
await roles[role](store);
