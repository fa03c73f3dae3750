// A bounded map that forgets what was used longest ago: for what can be read, or measured, again.

export interface Recent<T> {
  get(key: string): T | undefined;
  set(key: string, value: T): void;
}

export function makeRecent<T>(most: number): Recent<T> {
  const values = new Map<string, T>();
  return {
    get: (key) => {
      const value = values.get(key);
      if (value === undefined) return undefined;
      // A Map keeps the order of insertion.
      values.delete(key);
      values.set(key, value);
      return value;
    },
    set: (key, value) => {
      values.delete(key);
      values.set(key, value);
      if (values.size <= most) return;
      const oldest = values.keys().next();
      if (!oldest.done) values.delete(oldest.value);
    },
  };
}

/** The results of `run` in the order of `values`, at most `width` at a time; the first failure is thrown. */
export async function inParallel<T, R>(values: readonly T[], width: number, run: (value: T) => Promise<R>): Promise<R[]> {
  const results = new Array<R>(values.length);
  let next = 0;
  const work = async (): Promise<void> => {
    for (let index = next++; index < values.length; index = next++) results[index] = await run(values[index] as T);
  };
  await Promise.all(Array.from({ length: Math.min(width, values.length) }, work));
  return results;
}
