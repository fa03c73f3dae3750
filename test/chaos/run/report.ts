// What a run adds up to, as a document and for people. Pure but for what it is given.
import type { StrikeKind } from './kinds.js';
import type { StartedByItself } from './started-by-itself.js';
import type { Run } from './state.js';

export interface Report {
  object: 'chaos';
  seed: number;
  store: string;
  minutes: number;
  seconds: number;
  violation: { invariant: string; job: string | null; message: string } | null;
  strikes: { kind: StrikeKind; planned: number; struck: number; missed: number }[];
  struck: number;
  never_struck: StrikeKind[];
  jobs: { submitted: number; ended: number; cancelled_and_retried: number; crash_loops: number; attempts: number; preemptions: number };
  /** Null if it did not come to an end. */
  started_by_itself: StartedByItself | null;
  micro_batches: { executed: number; kept: number; wasted: number };
  /** Attempts of jobs that ended: those whose waste was judged, and by what the others are exempt. */
  waste: { judged: number; exempt: Record<string, number> };
  recovery_ms: { count: number; p50: number | null; p95: number | null; max: number | null };
  /** Of any one job that wanted to run, its time in the line included. */
  longest_without_progress_ms: number;
  longest_stranded_ms: number;
  longest_displaced_training_ms: number;
  looks: number;
  resubmitted: number;
}

export interface ReportFacts {
  store: string;
  minutes: number;
  kinds: readonly StrikeKind[];
}

export function makeReport(run: Run, byItself: StartedByItself | null, { store, minutes, kinds }: ReportFacts): Report {
  const strikes = kinds.map((kind) => {
    const all = run.strikes.filter((strike) => strike.kind === kind);
    const struck = all.filter((strike) => strike.struck).length;
    return { kind, planned: all.length, struck, missed: all.length - struck };
  });
  const recoveries = run.strikes.flatMap(({ struck, recoveredMs }) => (struck && recoveredMs !== null ? [recoveredMs] : []));
  const sum = (of: (job: Run['jobs'][number]) => number): number => run.jobs.reduce((total, job) => total + of(job), 0);
  const executed = sum(({ head }) => head?.counters.executed_micro_batches ?? 0);
  const wasted = sum(({ head }) => head?.counters.wasted_micro_batches ?? 0);
  return {
    object: 'chaos', seed: run.seed, store, minutes,
    seconds: Math.round((Date.now() - run.startedAt) / 1_000),
    violation: run.violation && { invariant: run.violation.invariant, job: run.violation.job?.id ?? null, message: run.violation.message },
    strikes,
    struck: strikes.reduce((total, { struck }) => total + struck, 0),
    never_struck: strikes.filter(({ struck }) => struck === 0).map(({ kind }) => kind),
    jobs: { submitted: run.jobs.length, ended: sum(({ over }) => (over ? 1 : 0)), cancelled_and_retried: sum(({ head }) => head?.gen ?? 0), crash_loops: sum(({ crashLoops }) => crashLoops), attempts: sum(({ head }) => head?.counters.attempts ?? 0), preemptions: sum(({ head }) => head?.counters.preemptions ?? 0) },
    started_by_itself: byItself,
    micro_batches: { executed, kept: executed - wasted, wasted },
    waste: { judged: sum(({ waste }) => waste.judged), exempt: countsOf(run.jobs.flatMap(({ waste }) => waste.exempt)) },
    recovery_ms: { count: recoveries.length, p50: quantile(recoveries, 0.5), p95: quantile(recoveries, 0.95), max: quantile(recoveries, 1) },
    longest_without_progress_ms: Math.max(0, ...run.jobs.map(({ longestStillMs }) => longestStillMs)),
    longest_stranded_ms: Math.max(0, ...run.jobs.map(({ strandedAtMost }) => strandedAtMost)),
    longest_displaced_training_ms: run.surplusAtMost,
    looks: run.looks,
    resubmitted: run.resubmitted,
  };
}

function countsOf(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/** The value that this share of all are not above; null of none. */
export function quantile(values: readonly number[], share: number): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
}

const seconds = (ms: number | null): string => (ms === null ? '–' : `${(ms / 1_000).toFixed(1)} s`);

export function showReport(report: Report): string {
  const { jobs, started_by_itself: byItself, micro_batches: counts, waste, recovery_ms: recovery } = report;
  const width = Math.max(...report.strikes.map(({ kind }) => kind.length));
  return [
    `seed ${report.seed}, store ${report.store}, ${report.minutes} min of strikes, ${report.seconds} s in all`,
    ...report.strikes.map(({ kind, struck, missed }) => `  ${kind.padEnd(width)}  struck ${String(struck).padStart(3)}  missed ${String(missed).padStart(3)}`),
    ...(report.never_struck.length > 0 ? [`never struck: ${report.never_struck.join(', ')}`] : []),
    `${report.struck} strikes; ${jobs.submitted} jobs, ${jobs.ended} ended with the undisturbed bits, in ${jobs.attempts} attempts (${jobs.preemptions} taken away); ${jobs.cancelled_and_retried} retries, ${jobs.crash_loops} of them after crash_loop`,
    ...(byItself ? [`by themselves: ${byItself.scheduled_jobs} jobs of ${byItself.fires} fires of a schedule, ${byItself.trials} trials of ${byItself.sweeps} sweeps`] : []),
    `micro-batches: ${counts.executed} executed, ${counts.kept} kept, ${counts.wasted} wasted`,
    `waste: ${waste.judged} attempts judged, ${Object.values(waste.exempt).reduce((sum, count) => sum + count, 0)} exempt${Object.entries(waste.exempt).map(([why, count], index) => `${index === 0 ? ': ' : ', '}${why} ${count}`).join('')}`,
    `recovery: p50 ${seconds(recovery.p50)}, p95 ${seconds(recovery.p95)}, longest ${seconds(recovery.max)} (of ${recovery.count})`,
    `longest without progress: ${seconds(report.longest_without_progress_ms)}; without owner and ticket: ${seconds(report.longest_stranded_ms)}; displaced and still trained: ${seconds(report.longest_displaced_training_ms)}`,
    `${report.looks} looks at HEAD, ${report.resubmitted} submissions repeated under their keys`,
    report.violation ? `VIOLATED: ${report.violation.invariant}${report.violation.job ? ` (${report.violation.job})` : ''}: ${report.violation.message}` : 'no invariant was violated',
  ].join('\n');
}
