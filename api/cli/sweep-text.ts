// Sweeps and trials as text for people. Pure.
import type { Sweep, SweepListItem, Trial } from '../../lib/contract/sweep-views.js';
import { clean, duration, figure, plural, table } from './render.js';

/** Such as `lr=0.0127 training.accum_iters=2`. */
const paramsText = (params: Readonly<Record<string, unknown>>): string => Object.entries(params).map(([name, value]) => `${name}=${typeof value === 'number' ? numberText(value) : typeof value === 'string' ? value : JSON.stringify(value)}`).join(' ');
const numberText = (value: number): string => (Number.isInteger(value) ? String(value) : figure(value));

/** Such as `2 running, 1 paused`: those that there are. */
function countsText(counts: SweepListItem['counts']): string {
  const some = Object.entries(counts).filter(([, count]) => count > 0).map(([status, count]) => `${count} ${status}`);
  return some.length === 0 ? 'none yet' : some.join(', ');
}

export const sweepLine = ({ id, status, counts, best }: SweepListItem): string => clean([id, status, `trials: ${countsText(counts)}`, ...(best === null ? [] : [`best ${figure(best.value)}`])].join(' · '));

export function bestText({ best, spec }: Sweep): string | null {
  return best && clean(`${spec.metric?.name ?? 'value'} ${figure(best.value)} · ${paramsText(best.params)} · ${best.trial_id}`);
}

const beganWithText = ({ warm_start: began }: Sweep): string | null => began && [began.from ?? 'nothing', ...(began.best === null ? [] : [`its best (${began.best})`]), ...(began.imported === 0 ? [] : [`${plural(began.imported, 'trial')} of it`])].join(' · ');

/** Without its trials: what can be drawn of them is in sweep-plots.ts. */
export function sweepDetails(sweep: Sweep): string {
  const { spec, budget: { spent, limits }, counts } = sweep;
  const of = (limit: number | null): string => (limit === null ? '' : ` of ${duration(limit)}`);
  const lines: [string, string | null][] = [
    ['id', sweep.id],
    ['name', sweep.name],
    ['status', [sweep.status, ...(sweep.why === null ? [] : [paramsText(sweep.why)])].join(' · ')],
    ['method', spec.early_terminate.type === 'none' ? spec.method : `${spec.method}, ${spec.early_terminate.type}`],
    ['created', sweep.created_at],
    ['finished', sweep.finished_at],
    ['trials', `${countsText(counts)}${spec.run_cap === null ? '' : ` (at most ${spec.run_cap})`}`],
    ['best', bestText(sweep)],
    ['began with', beganWithText(sweep)],
    ['spent', `${spec.execution === 'jobs' ? `${duration(spent.compute_seconds)}${of(limits.compute_seconds)} of training, ` : ''}${duration(spent.wall_clock)}${of(limits.wall_clock)} since it began`],
    ...sweep.warnings.map(({ param, message }): [string, string] => ['warning', `${param}: ${message}`]),
  ];
  return lines.flatMap(([name, text]) => (text === null ? [] : [`${name.padEnd(11)}${clean(text)}`])).join('\n');
}

export const sweepTable = (sweeps: readonly SweepListItem[]): string =>
  table(['ID', 'NAME', 'STATUS', 'TRIALS', 'BEST', 'CREATED'], sweeps.map(({ id, name, status, counts, best, created_at }) => [id, name, status, plural(Object.values(counts).reduce((sum, count) => sum + count, 0), 'trial'), figure(best?.value ?? null), created_at.slice(0, 19)]));

/** Trials to be run, for whoever asked for them. */
export const givenTable = (trials: readonly Trial[]): string => table(['TRIAL', 'AT', 'UP TO', 'PARAMETERS'], trials.map(({ number, step, up_to, params }) => [number, step, up_to ?? 'its end', paramsText(params)]));

export const trialTable = (trials: readonly Trial[]): string =>
  table(['#', 'STATUS', 'VALUE', 'AT', 'PARAMETERS', 'JOB'], trials.map(({ number, status, value, values, params, job_id }) => [number, status, figure(value), values.at(-1)?.step ?? null, paramsText(params), job_id]));
