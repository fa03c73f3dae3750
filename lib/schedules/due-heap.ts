// Which of very many things is due first: a binary heap of times with one entry a key. Pure; it reads no clock.

export interface DueHeap {
  /** Replaces the key's time; Infinity: never, and the key is forgotten. */
  set(key: string, dueMs: number): void;
  delete(key: string): void;
  /** The earliest time; Infinity: nothing is ever due. */
  firstMs(): number;
  /** Takes out the key that is due first, if it is due by then. */
  takeDue(nowMs: number): string | null;
}

interface Entry {
  key: string;
  dueMs: number;
}

export function makeDueHeap(): DueHeap {
  /** Entries that were replaced or deleted stay until they come to the top. */
  let heap: Entry[] = [];
  const valid = new Map<string, Entry>();

  function push(entry: Entry): void {
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]!.dueMs <= entry.dueMs) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  function pop(): void {
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.dueMs < heap[child]!.dueMs) child++;
      if (heap[child]!.dueMs >= last.dueMs) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }

  /** The first entry that counts. */
  function first(): Entry | undefined {
    while (heap.length > 0 && valid.get(heap[0]!.key) !== heap[0]) pop();
    return heap[0];
  }

  function set(key: string, dueMs: number): void {
    valid.delete(key);
    if (dueMs === Infinity) return;
    const entry = { key, dueMs };
    valid.set(key, entry);
    push(entry);
    // no more dead entries than living ones
    if (heap.length > 2 * valid.size + 16) {
      heap = [];
      for (const each of valid.values()) push(each);
    }
  }

  return {
    set,
    delete: (key) => void valid.delete(key),
    firstMs: () => first()?.dueMs ?? Infinity,
    takeDue: (nowMs) => {
      const entry = first();
      if (!entry || entry.dueMs > nowMs) return null;
      pop();
      valid.delete(entry.key);
      return entry.key;
    },
  };
}
