// Fires: a schedule starts each job once, at its time and not before it. Beside what its ledger has to tell. Pure.
import type { Fire } from '../../../../lib/contract/schedule.js';

/** By which two true clocks may differ, and one still be gone by. */
const CLOCK_MS = 6_000;

/** @param storedAt by run: when the store says that its job was written */
export function earlyProblems(fires: readonly Fire[], storedAt: ReadonlyMap<string, number>): string[] {
  return fires.flatMap(({ cause, outcome, run, nominal_time: nominal }) => {
    if (cause !== 'schedule' || outcome !== 'started') return [];
    const at = storedAt.get(run!.id);
    if (at === undefined) return [`${run!.id}, started for ${nominal}, is not there`];
    return at < Date.parse(nominal) - CLOCK_MS ? [`${run!.id} was started ${(Date.parse(nominal) - at) / 1_000} s before its time, ${nominal}`] : [];
  });
}
