// Tickers over one store in memory, on time that is moved by hand; each call takes a while, and may be a process's last.
import { makeTicker, type Ticker, type TickerTiming } from '../../../lib/schedules/ticker.js';
import type { Fault } from '../fate.js';
import { makeMemoryStore } from '../memory-store.js';
import { asProcess, makeFakeClock, makeRuns } from './world.js';

export const START = Date.UTC(2026, 4, 1, 12, 0, 10);
/** Of any call to the store, or to what starts jobs. */
export const CALL_MS = 5;

export function setUpTickers() {
  const clock = makeFakeClock(START);
  const store = makeMemoryStore();
  const runs = makeRuns(clock);
  const deps = asProcess(store, runs.calls, clock, () => 'none');
  const warnings: string[] = [];
  const watch = { isSound: () => Promise.resolve(true) };
  const tickers: Ticker[] = [];
  function start(name: string, next: (call: string) => Fault = () => 'none', timing: Partial<TickerTiming> = {}): Ticker {
    const { store: faulty, start, stateOf, stop, takePlaces } = asProcess(store, runs.calls, clock, next, () => clock.sleep(CALL_MS));
    const ticker = makeTicker({ name, store: faulty, start, stateOf, stop, takePlaces, prepare: () => undefined, clock, isSound: () => watch.isSound(), log: { warn: (_fields, message) => void warnings.push(message) }, timing });
    tickers.push(ticker);
    ticker.start();
    return ticker;
  }
  async function close(): Promise<void> {
    const closed = Promise.all(tickers.map((ticker) => ticker.close()));
    await clock.runUntil(clock.now().getTime() + 10_000);
    await closed;
  }
  return { clock, watch, store, runs, deps, warnings, start, close };
}
