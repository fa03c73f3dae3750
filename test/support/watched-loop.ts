// How long a server answers nobody else while it is at something.
import { expect } from 'vitest';
import type { TestApi } from './api.js';

/** @param busy has begun; the longest wait until it is over, in milliseconds */
export async function longestWait(api: TestApi, busy: Promise<unknown>): Promise<number> {
  let waits = true;
  const over = busy.finally(() => void (waits = false));
  let longestMs = 0;
  while (waits) {
    const from = performance.now();
    // a request that is injected needs no turn of the event loop
    await new Promise((resolve) => setImmediate(resolve));
    expect((await api.app.inject('/healthz')).statusCode).toBe(200);
    longestMs = Math.max(longestMs, performance.now() - from);
  }
  await over;
  return longestMs;
}
