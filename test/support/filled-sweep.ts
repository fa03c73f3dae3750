// A sweep with many trials that are over, written into its log as if they had been asked for and told about one by one, with the state
// beside it.
import { systemClock } from '../../lib/clock.js';
import { inParallel } from '../../lib/jobs/recent.js';
import { toJson } from '../../lib/jobs/record.js';
import type { Store } from '../../lib/store/index.js';
import { decide } from '../../lib/sweeps/decide.js';
import type { LogEntry } from '../../lib/sweeps/events.js';
import { openLog, requireSweep } from '../../lib/sweeps/log.js';
import { logKey, stateKey } from '../../lib/sweeps/names.js';
import { applied } from '../../lib/sweeps/state.js';

const WRITE_WIDTH = 32;

/** Eight parameters, and no end. */
export const ENDLESS_TPE = { method: 'tpe', metric: { name: 'loss' }, parameters: Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`p${n}`, { distribution: 'uniform', min: 0, max: 1 }])) };

/** @param id of an external sweep of which nobody has asked for a trial yet */
export async function fillSweep(store: Store, id: string, trials: number): Promise<void> {
  const { rules, state } = await openLog({ store, clock: systemClock }, await requireSweep(store, id));
  const before = state();
  const first = before.entries;
  const asked = { type: 'asked', client: null, count: trials } as const;
  const decisions = decide({ ...rules, spec: { ...rules.spec, method: 'random' } }, before, asked);
  const told = Array.from({ length: trials }, (_, trial) => ({ event: { type: 'told', trial, values: [], end: 'succeeded', value: Math.abs(trial - 77) }, decisions: [] }) satisfies Pick<LogEntry, 'event' | 'decisions'>);
  const entries = [{ event: asked, decisions }, ...told].map((entry, index): LogEntry => ({ n: first + index, at: '2026-01-31T12:00:00.000Z', ...entry }));
  const write = (entry: LogEntry) => store.putIfAbsent(logKey(id, entry.n), toJson(entry));
  await inParallel(entries.slice(1), WRITE_WIDTH, write);
  const after = entries.reduce((now, entry) => applied(rules.spec, now, entry), before);
  await store.putIfAbsent(stateKey(id, after.entries), toJson(after));
  await write(entries[0]!);
}
