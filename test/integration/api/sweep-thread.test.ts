// What is made of many trials for readers is made in the thread for sweeps: the same as without it, while the event loop goes on.
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { Store } from '../../../lib/store/index.js';
import { type Decider, makeDecider } from '../../../lib/sweeps/decider.js';
import { startApi, type TestApi } from '../../support/api.js';
import { ENDLESS_TPE, fillSweep } from '../../support/filled-sweep.js';

const ENTRY = join(import.meta.dirname, '../../../dist/api/sweep-thread.js');
/** A sweep, and servers that have not seen it yet, with the thread and without. */
async function filled(trials: number): Promise<{ id: string; serve: (decider?: Decider) => Promise<TestApi> }> {
  const { app, store } = await startApi();
  const answer = await app.inject({ method: 'POST', url: '/v1/sweeps', payload: ENDLESS_TPE });
  expect(answer.statusCode, answer.body).toBe(201);
  const { id } = answer.json<{ id: string }>();
  await fillSweep(store, id, trials);
  return { id, serve: (decider) => startApi({ wrapStore: (own): Store => ({ ...store, close: own.close }), ...(decider && { decider }) }) };
}

function started(): Decider {
  const decider = makeDecider(ENTRY);
  onTestFinished(() => decider.close());
  return decider;
}

/** How long an answer takes, and the longest that nobody else was answered meanwhile. */
async function watched(api: TestApi, url: string): Promise<{ body: string; tookMs: number; longestMs: number }> {
  let waits = true;
  const began = performance.now();
  const answer = api.app.inject(url).finally(() => void (waits = false));
  let longestMs = 0;
  while (waits) {
    const from = performance.now();
    // a request that is injected needs no turn of the event loop
    await new Promise((resolve) => setImmediate(resolve));
    expect((await api.app.inject('/healthz')).statusCode).toBe(200);
    longestMs = Math.max(longestMs, performance.now() - from);
  }
  const { statusCode, body } = await answer;
  expect(statusCode, body.slice(0, 1_000)).toBe(200);
  return { body, tookMs: performance.now() - began, longestMs };
}

const ROUNDS = 5;

/** Of the longest wait in the time that the answer takes, a few times over: what else the machine does may make it larger or smaller. */
async function sharesOf(api: TestApi, url: string): Promise<number[]> {
  const shares: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const { tookMs, longestMs } = await watched(api, url);
    shares.push(longestMs / tookMs);
  }
  return shares;
}

const plotsIn = (page: string): unknown => JSON.parse(/<script type="application\/json" id="plots">(.*?)<\/script>/s.exec(page)![1]!);

it('reports and importances hold nobody up, and say the same as without the thread', { timeout: 240_000 }, async () => {
  const { id, serve } = await filled(2_000);
  const [api, plain] = [await serve(started()), await serve()];
  const [report, importance] = [`/v1/sweeps/${id}/report`, `/v1/sweeps/${id}/importance`];
  expect(Math.min(...(await sharesOf(api, report)))).toBeLessThan(1 / 3);
  expect(Math.min(...(await sharesOf(api, importance)))).toBeLessThan(1 / 2);
  // without the thread all is made in one go
  expect(Math.max(...(await sharesOf(plain, report)))).toBeGreaterThan(1 / 3);

  const [here, there] = [await watched(plain, report), await watched(api, report)];
  expect(plotsIn(there.body)).toEqual(plotsIn(here.body));
  expect([there.body.length, there.body.endsWith('</html>\n')]).toEqual([here.body.length, true]);
  expect((await api.app.inject(importance)).json()).toEqual((await plain.app.inject(importance)).json());
});

it('follows what is told meanwhile, and goes on where the thread has ended', { timeout: 240_000 }, async () => {
  const trials = 400;
  const decider = started();
  const { id, serve } = await filled(trials);
  const api = await serve(decider);
  const trialsOf = async (): Promise<number> => (await api.app.inject(`/v1/sweeps/${id}/importance`)).json<{ trials: number }>().trials;
  const next = async (): Promise<void> => {
    const { trials: given } = (await api.app.inject({ method: 'POST', url: `/v1/sweeps/${id}/trials/ask`, payload: { client: 'a' } })).json<{ trials: { id: string }[] }>();
    expect((await api.app.inject({ method: 'POST', url: `/v1/sweeps/${id}/trials/tell`, payload: { id: given[0]!.id, value: 0 } })).statusCode).toBe(200);
  };
  expect(await trialsOf()).toBe(trials);
  await next();
  expect(await trialsOf()).toBe(trials + 1);
  await decider.close();
  await next();
  expect(await trialsOf()).toBe(trials + 2);
  expect((await watched(api, `/v1/sweeps/${id}/report`)).body).toContain(`${trials + 2} succeeded`);
});
