// What a process does about a store that takes no more from it: a failed fsync holds for as long as the process runs.
import type { Store } from './index.js';

const LOOK_MS = 1_000;

/** Calls back, once, when this process can write no more; with which fsync it was. */
export function whenBroken(store: Pick<Store, 'brokenBy'>, leave: (why: string) => void): void {
  const timer = setInterval(() => {
    const broken = store.brokenBy();
    if (broken === null) return;
    clearInterval(timer);
    leave(broken);
  }, LOOK_MS);
}
