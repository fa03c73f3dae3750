// What is made of many trials for readers is made in the thread for sweeps: the same as without it, while the event loop goes on.
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { Store } from '../../../lib/store/index.js';
import { type Decider, makeDecider } from '../../../lib/sweeps/decider.js';
import { startApi, type TestApi } from '../../support/api.js';
import { ENDLESS_TPE, fillSweep } from '../../support/filled-sweep.js';
import { longestWait } from '../../support/watched-loop.js';

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
  const began = performance.now();
  const answer = api.app.inject(url);
  const longestMs = await longestWait(api, answer);
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

it('reports, importances and exports hold nobody up, and say the same as without the thread', { timeout: 240_000 }, async () => {
  const { id, serve } = await filled(2_000);
  const [api, plain] = [await serve(started()), await serve()];
  const [report, importance] = [`/v1/sweeps/${id}/report`, `/v1/sweeps/${id}/importance`];
  expect(Math.min(...(await sharesOf(api, report)))).toBeLessThan(1 / 3);
  expect(Math.min(...(await sharesOf(api, importance)))).toBeLessThan(1 / 2);
  // without the thread all is made in one go
  expect(Math.max(...(await sharesOf(plain, report)))).toBeGreaterThan(1 / 3);

  const [here, there] = [await watched(plain, report), await watched(api, report)];
  expect(plotsIn(there.body)).toEqual(plotsIn(here.body));
  expect(there.body.endsWith('</html>\n')).toBe(true);
  // it says how long the sweep has been going on
  expect(Math.abs(there.body.length - here.body.length)).toBeLessThan(8);
  expect((await api.app.inject(importance)).json()).toEqual((await plain.app.inject(importance)).json());

  for (const format of ['json', 'csv']) {
    const url = `/v1/sweeps/${id}/export?format=${format}`;
    const shares = await sharesOf(api, url);
    expect(Math.min(...shares), `${format}: ${shares.join(', ')}`).toBeLessThan(2 / 3);
    const withoutTime = (body: string): string => body.replace(/"wall_clock":[\d.]+/, '');
    expect(withoutTime((await watched(api, url)).body)).toBe(withoutTime((await watched(plain, url)).body));
  }
});

it('whoever asks for a trial waits for no report', { timeout: 240_000 }, async () => {
  const { id, serve } = await filled(2_000);
  const api = await serve(started());
  const [report, asked] = [`/v1/sweeps/${id}/report`, { method: 'POST', url: `/v1/sweeps/${id}/trials/ask`, payload: { client: 'a', count: 1 } } as const];
  // both threads know the sweep, and have compiled what they run
  await api.app.inject(report);
  await api.app.inject(asked);
  const over: string[] = [];
  const reports = Promise.all(Array.from({ length: 8 }, () => api.app.inject(report))).then((answers) => {
    over.push('report');
    return answers;
  });
  const ask = api.app.inject({ ...asked, payload: { client: 'b', count: 1 } }).then((answer) => {
    over.push('ask');
    return answer;
  });
  expect((await Promise.all([reports, ask])).flat().map(({ statusCode }) => statusCode)).toEqual(Array(9).fill(200));
  expect(over).toEqual(['ask', 'report']);
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
