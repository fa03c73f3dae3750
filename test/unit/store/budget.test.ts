// The total time of a call.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { withBudget } from '../../../lib/store/budget.js';
import { codeOf } from '../../integration/store/conformance.js';

const never = (): Promise<never> => new Promise(() => undefined);

describe('a budget', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
  afterEach(() => void vi.useRealTimers());

  it('ends work that does not end itself, and tells it', async () => {
    let inner: AbortSignal | undefined;
    const call = withBudget('get x', 1000, undefined, ({ signal }) => {
      inner = signal;
      return never();
    });
    const rejected = expect(call).rejects.toThrow('get x: no answer in time');
    await vi.advanceTimersByTimeAsync(999);
    expect(inner?.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await rejected;
    expect(inner?.aborted).toBe(true);
  });

  it('can be extended while it runs', async () => {
    const call = withBudget('get x', 1000, undefined, async ({ extend }) => {
      extend(500);
      return never();
    });
    const rejected = expect(call).rejects.toThrow('no answer in time');
    await vi.advanceTimersByTimeAsync(1499);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    await rejected;
  });

  it('leaves no timer and no listener behind, however the work ends', async () => {
    const { signal } = new AbortController();
    const removed = vi.spyOn(signal, 'removeEventListener');
    expect(await withBudget('x', 1000, signal, async () => 7)).toBe(7);
    await expect(withBudget('x', 1000, signal, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(removed).toHaveBeenCalledTimes(2);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is cut short by the signal of the caller', async () => {
    const controller = new AbortController();
    const call = withBudget('put x', Infinity, controller.signal, never);
    controller.abort();
    expect(await codeOf(call)).toBe('store_unavailable');
    await expect(withBudget('put x', Infinity, controller.signal, async () => 7)).rejects.toThrow('put x: cancelled');
  });
});
