// A queue of things that happened, for a story that takes them one at a time.

export interface Inbox<T> {
  put(value: T): void;
  next(): Promise<T>;
}

export function makeInbox<T>(): Inbox<T> {
  const values: T[] = [];
  let waiting: ((value: T) => void) | null = null;
  return {
    put: (value) => {
      if (waiting) {
        const take = waiting;
        waiting = null;
        take(value);
      } else values.push(value);
    },
    next: () =>
      new Promise((resolve) => {
        const value = values.shift();
        if (value !== undefined) resolve(value);
        else waiting = resolve;
      }),
  };
}
