// A schedule as it was sent, with every default written and every duration in seconds, or everything that is wrong with it.
// What it starts (job, sweep) is checked by those who know it.
import { CATCHUP_SECONDS, MAX_JITTER_SECONDS, PreviewInput, ScheduleInput, type FireRule, type ScheduleSpec } from '../contract/schedule.js';
import type { Problem } from '../errors.js';
import { toSeconds } from '../jobs/spec/durations.js';
import { fillDefaults } from '../jobs/spec/fill-defaults.js';
import { makeValidator } from '../jobs/spec/schema-problems.js';
import type { Resolved } from '../contract/common.js';
import { parseRule } from './next.js';

const INPUT: object = ScheduleInput;
const PREVIEW: object = PreviewInput;
const inputProblems = makeValidator(INPUT);
const previewProblems = makeValidator(PREVIEW);

export type ResolvedSchedule = { spec: ScheduleSpec; paused: boolean; warnings: string[] } | { problems: Problem[] };

export function resolveSchedule(input: unknown, now: Date): ResolvedSchedule {
  const problems = inputProblems(input);
  if (problems.length > 0) return { problems };
  const given = input as ScheduleInput;
  const filled = fillDefaults(INPUT, input) as Resolved<Omit<ScheduleInput, 'job' | 'sweep'>>;
  const parsed = parseRule(filled, now.getTime());
  if ('problems' in parsed) problems.push(...parsed.problems);
  if ((given.job === undefined) === (given.sweep === undefined)) problems.push({ param: 'job', message: given.job === undefined ? 'either job or sweep is required: what each fire starts' : 'both job and sweep are given; allowed is one of them' });
  const catchupWindow = within('catchup_window', filled.catchup_window, CATCHUP_SECONDS.least, CATCHUP_SECONDS.most, 'from 10s to 30d');
  const jitter = within('jitter', filled.jitter, 0, MAX_JITTER_SECONDS, 'from 0s to 1d');
  for (const value of [catchupWindow, jitter]) if (typeof value !== 'number') problems.push(value);
  if (problems.length > 0 || 'problems' in parsed || typeof catchupWindow !== 'number' || typeof jitter !== 'number') return { problems };
  const { name, overlap_policy, pause_on_failure, paused } = filled;
  return { spec: { name, ...parsed.rule, overlap_policy, catchup_window: catchupWindow, jitter, pause_on_failure, job: given.job ?? null, sweep: given.sweep ?? null }, paused, warnings: parsed.warnings };
}

/** What a preview asks for. */
export function resolvePreview(input: unknown, now: Date): { rule: FireRule; from: Date; count: number; warnings: string[] } | { problems: Problem[] } {
  const problems = previewProblems(input);
  if (problems.length > 0) return { problems };
  const { from, count, ...rule } = fillDefaults(PREVIEW, input) as Resolved<Omit<PreviewInput, 'from'>> & { from?: string };
  const after = from === undefined ? now : new Date(from);
  const parsed = parseRule(rule, after.getTime());
  return 'problems' in parsed ? parsed : { ...parsed, from: after, count };
}

/** A duration in seconds, or what is wrong with it. */
function within(param: string, duration: number | string, least: number, most: number, allowed: string): number | Problem {
  const seconds = toSeconds(duration);
  return seconds >= least && seconds <= most ? seconds : { param, message: `${JSON.stringify(duration)} is out of range; allowed is ${allowed}` };
}
