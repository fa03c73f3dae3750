// Schedules: `schedule put`, `ls`, `show`, `fires`, `preview`, `trigger`, `backfill`, `pause`, `resume`, `rm`. Where a command takes an
// id, a name does as well, as long as only one schedule has it.
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { type Fire, type FireRequests, type FireTime, OVERLAP_POLICIES, type OverlapPolicy, type Preview, type RecentFire, type Schedule, type ScheduleListItem } from '../../../lib/contract/schedule.js';
import type { SchedulesClient } from '../../client.js';
import { type AddCommands, type CliContext, command, usageError, withExamples } from '../context.js';
import { readDocument } from '../document-file.js';
import { clean, plural, table } from '../render.js';

interface Json {
  json?: boolean;
}
interface PageOptions extends Json {
  after?: string;
  limit?: string;
}

interface FiringOptions extends Json {
  overlapPolicy?: string;
  idempotencyKey?: string;
}

export const addSchedules: AddCommands = (program, context) => {
  const family = program.command('schedule').description('jobs and sweeps that start by themselves: put, ls, show, fires, preview, trigger, backfill, pause, resume, rm');
  for (const add of [addPut, addReading, addPreview, addFiring, addVerbs]) add(family, context);
  withExamples(family, ['pawl schedule put docs/examples/nightly.yaml', 'pawl schedule preview "30 2 * * *" --timezone Europe/Berlin', 'pawl schedule ls']);
};

const addPut: AddCommands = (family, context) => {
  const put = command(family, 'put <file>', 'create a schedule from a JSON or YAML file (- for standard input), or replace the one of that name')
    .option('--id <id>', 'replace this one, whatever its name')
    .action(async (file: string, { json, id }: Json & { id?: string }) => {
      const input = await readDocument(file, context);
      const { schedules } = context.client();
      const replaced = id ?? (await idOfName(schedules, (input as { name?: unknown } | null)?.name));
      const schedule = replaced === null ? await schedules.create(input) : await schedules.replace(replaced, input);
      if (json) {
        context.out(JSON.stringify(schedule));
        return;
      }
      context.out(`${replaced === null ? 'created' : 'replaced'}: ${schedule.id}${schedule.status === 'paused' ? ' (paused)' : ''}`);
      if (schedule.next_fires.length > 0) context.out(timesTable(schedule.next_fires.slice(0, 3)));
      const { cron, timezone, dst } = schedule.spec;
      warn(context, await schedules.previewRule({ cron, timezone, dst, count: 1 }));
    });
  withExamples(put, ['pawl schedule put docs/examples/nightly.yaml', 'pawl schedule put nightly.json --id SCHEDULE'], 'A replaced schedule keeps its id and its history; what runs goes on. docs/spec-reference.md (The schedule) has every field, docs/examples/nightly.yaml the usual ones.');
};

const addReading: AddCommands = (family, context) => {
  const paged = (name: string, description: string) => command(family, name, description).option('--limit <n>', 'at most so many').option('--after <id>', 'those after this one');
  const page = ({ after, limit }: PageOptions) => ({ ...(after === undefined ? {} : { after }), ...(limit === undefined ? {} : { limit: numberOf('--limit', limit) }) });
  const more = (list: { has_more: boolean; last_id: unknown }): void => {
    if (list.has_more) context.err(`there are more: --after ${String(list.last_id)}`);
  };

  const ls = paged('ls', 'list schedules, newest first')
    .option('--name <name>', 'only with this name')
    .action(async ({ json, name, ...rest }: PageOptions & { name?: string }) => {
      const list = await context.client().schedules.list({ ...page(rest), ...(name === undefined ? {} : { name }) });
      if (json) {
        context.out(JSON.stringify(list));
        return;
      }
      const rows = list.data.map((each) => [each.id, each.name, each.status, each.cron, each.timezone, each.next_fires[0]?.utc ?? null, each.next_fires[0]?.local ?? null, lastOf(each)]);
      context.out(table(['ID', 'NAME', 'STATUS', 'CRON', 'TIMEZONE', 'NEXT (UTC)', 'NEXT (LOCAL)', 'LAST'], rows));
      more(list);
    });

  const show = command(family, 'show <id>', 'everything about a schedule: its next fires, and what became of the last ones').action(async (id: string, { json }: Json) => {
    const { schedules } = context.client();
    const schedule = await schedules.get(await scheduleIdOf(schedules, id));
    context.out(json ? JSON.stringify(schedule) : details(schedule));
  });

  const fires = paged('fires <id>', 'what became of each nominal time, oldest first').action(async (id: string, { json, ...rest }: PageOptions) => {
    const { schedules } = context.client();
    const list = await schedules.fires(await scheduleIdOf(schedules, id), page(rest));
    if (json) {
      context.out(JSON.stringify(list));
      return;
    }
    context.out(firesTable(list.data));
    more(list);
  });

  withExamples(ls, ['pawl schedule ls', 'pawl schedule ls --name nightly --json']);
  withExamples(show, ['pawl schedule show nightly', 'pawl schedule show SCHEDULE --json']);
  withExamples(fires, ['pawl schedule fires nightly --limit 100', 'pawl schedule fires SCHEDULE --after FIRE --json']);
};

const addPreview: AddCommands = (family, context) => {
  const preview = command(family, 'preview <rule>', 'when a cron expression, a file or a schedule fires, in UTC and local time; stores nothing')
    .option('--timezone <zone>', 'of the expression (default: UTC)')
    .option('--from <time>', 'the fires after this time (default: now)')
    .option('--count <n>', 'how many (default: 10)')
    .action(async (rule: string, { json, timezone, from, count: given }: Json & { timezone?: string; from?: string; count?: string }) => {
      const { schedules } = context.client();
      const asked = { ...(from === undefined ? {} : { from }), ...(given === undefined ? {} : { count: numberOf('--count', given) }) };
      const answer = await schedules.previewRule({ ...(await ruleOf(rule, schedules, context)), ...(timezone === undefined ? {} : { timezone }), ...asked });
      if (json) {
        context.out(JSON.stringify(answer));
        return;
      }
      context.out(timesTable(answer.fires));
      warn(context, answer);
    });
  withExamples(preview, ['pawl schedule preview "30 2 * * *" --timezone Europe/Berlin --count 3', 'pawl schedule preview docs/examples/nightly.yaml', 'pawl schedule preview nightly --from 2027-03-27T00:00:00Z'], 'A text with spaces is an expression; otherwise a file, if there is one, or a schedule by its id or name.');
};

const addFiring: AddCommands = (family, context) => {
  const policy = (made: Command, otherwise: string) => made.option('--overlap-policy <policy>', `while an earlier run is not over: ${OVERLAP_POLICIES.join(', ')} (default: ${otherwise})`);
  const say = ({ fires }: FireRequests): void => {
    context.out(fires.length === 0 ? 'nothing to fire: all of it started something already' : `${plural(fires.length, 'fire')} asked for`);
    if (fires.length > 0) context.out(table(['FIRE', 'NOMINAL TIME (UTC)'], fires.map(({ id, nominal_time: time }) => [id, time])));
  };

  const once = (made: Command) => made.option('--idempotency-key <key>', 'the same key fires once, however often it is sent');
  const keyed = ({ idempotencyKey }: FiringOptions) => (idempotencyKey === undefined ? {} : { idempotencyKey });

  const trigger = once(policy(command(family, 'trigger <id>', 'fire now, whether it is paused or not'), "the schedule's own")).action(async (id: string, { json, overlapPolicy, ...options }: FiringOptions) => {
    const { schedules } = context.client();
    const asked = await schedules.trigger(await scheduleIdOf(schedules, id), overlapPolicy === undefined ? undefined : policyOf(overlapPolicy), keyed(options));
    if (json) context.out(JSON.stringify(asked));
    else say(asked);
  });

  const backfill = once(policy(
    command(family, 'backfill <id>', 'fire for the nominal times of a stretch of the past that started nothing')
      .requiredOption('--from <time>', 'the first moment, such as 2026-01-05T00:00:00Z')
      .requiredOption('--to <time>', 'the last one'),
    'buffer_all',
  )).action(async (id: string, { json, from, to, overlapPolicy, ...options }: FiringOptions & { from: string; to: string }) => {
    const { schedules } = context.client();
    const asked = await schedules.backfill(await scheduleIdOf(schedules, id), { from, to, ...(overlapPolicy === undefined ? {} : { overlap_policy: policyOf(overlapPolicy) }) }, keyed(options));
    if (json) context.out(JSON.stringify(asked));
    else say(asked);
  });

  withExamples(trigger, ['pawl schedule trigger nightly', 'pawl schedule trigger SCHEDULE --overlap-policy allow_all', 'pawl schedule trigger nightly --idempotency-key "$BUILD"']);
  withExamples(backfill, ['pawl schedule backfill nightly --from 2026-01-05T00:00:00Z --to 2026-01-12T00:00:00Z']);
};

const addVerbs: AddCommands = (family, context) => {
  const say = (schedule: Schedule, json: boolean | undefined): void => context.out(json ? JSON.stringify(schedule) : `${schedule.id} ${schedule.status}${schedule.next_fires[0] ? ` · next ${bothTimes(schedule.next_fires[0])}` : ''}`);

  const pause = command(family, 'pause <id>', 'fire no more until it is resumed; what runs goes on, and what was asked for by trigger or backfill still starts')
    .option('--note <text>', 'why, for people')
    .action(async (id: string, { json, note }: Json & { note?: string }) => {
      const { schedules } = context.client();
      say(await schedules.pause(await scheduleIdOf(schedules, id), note), json);
    });
  const resume = command(family, 'resume <id>', 'fire again, from now on').action(async (id: string, { json }: Json) => {
    const { schedules } = context.client();
    say(await schedules.resume(await scheduleIdOf(schedules, id)), json);
  });
  const rm = command(family, 'rm <id>', 'delete a schedule and the records of its fires; what runs goes on').action(async (id: string, { json }: Json) => {
    const { schedules } = context.client();
    const deleted = await schedules.remove(await scheduleIdOf(schedules, id));
    context.out(json ? JSON.stringify(deleted) : `deleted: ${deleted.id}`);
  });

  withExamples(pause, ['pawl schedule pause nightly --note holidays']);
  withExamples(resume, ['pawl schedule resume nightly']);
  withExamples(rm, ['pawl schedule rm nightly']);
};

const isId = (text: string): boolean => /^sch_[0-9a-z]{26}$/.test(text);

/** @throws AppError invalid_request where no schedule or several have this name */
export async function scheduleIdOf(schedules: Pick<SchedulesClient, 'list'>, given: string): Promise<string> {
  if (isId(given)) return given;
  const id = await idOfName(schedules, given);
  if (id === null) throw usageError(given, 'is neither the id nor the name of a schedule (`pawl schedule ls` lists them)');
  return id;
}

/** Null for what is no name, and where there is none. @throws AppError invalid_request where there are several */
async function idOfName(schedules: Pick<SchedulesClient, 'list'>, name: unknown): Promise<string | null> {
  if (typeof name !== 'string' || name === '' || name.length > 128) return null;
  const found: ScheduleListItem[] = [];
  for (let after: string | undefined; ; ) {
    const { data, has_more: hasMore, last_id: last } = await schedules.list({ name, limit: 100, ...(after === undefined ? {} : { after }) });
    found.push(...data);
    if (!hasMore) break;
    after = String(last);
  }
  if (found.length > 1) throw usageError(name, `is the name of ${found.length} schedules; say which: ${found.map(({ id }) => id).join(', ')}`);
  return found[0]?.id ?? null;
}

async function ruleOf(text: string, schedules: SchedulesClient, context: CliContext): Promise<{ cron: string }> {
  if (/\S\s+\S/.test(text)) return { cron: text };
  const isFile = !isId(text) && (text === '-' || existsSync(text));
  return onlyRule(isFile ? await readDocument(text, context) : (await schedules.get(await scheduleIdOf(schedules, text))).spec);
}
/** What a preview takes of a schedule; what is wrong with it the API says. */
const onlyRule = (given: unknown): { cron: string } => Object.fromEntries(Object.entries(given ?? {}).filter(([key]) => ['cron', 'timezone', 'dst'].includes(key))) as { cron: string };

function policyOf(text: string): OverlapPolicy {
  const policy = OVERLAP_POLICIES.find((each) => each === text);
  if (policy === undefined) throw usageError('--overlap-policy', `takes one of ${OVERLAP_POLICIES.join(', ')}, got ${JSON.stringify(text)}`);
  return policy;
}

function numberOf(option: string, text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw usageError(option, `takes a number, got ${JSON.stringify(text)}`);
  return Number(text);
}

const bothTimes = ({ utc, local }: FireTime): string => `${utc} (${local})`;
const timesTable = (times: readonly FireTime[]): string => table(['UTC', 'LOCAL'], times.map(({ utc, local }) => [utc, local]));

function warn(context: CliContext, { warnings }: Preview): void {
  for (const warning of warnings) context.err(`warning: ${warning}`);
}

/** In few words. */
const resultOf = (fire: Fire & { run_ended?: RecentFire['run_ended'] }): string => [fire.outcome, fire.reason, fire.missed && fire.missed.count > 1 ? `${fire.missed.count} times` : null, fire.run_ended ?? null].filter((part) => part !== null).join(' · ');
const lastOf = ({ last_fires: [last] }: ScheduleListItem): string | null => (last ? resultOf(last) : null);
const firesTable = (fires: readonly (Fire & { run_ended?: RecentFire['run_ended'] })[]): string =>
  table(['NOMINAL TIME (UTC)', 'CAUSE', 'OUTCOME', 'RUN', 'MESSAGE'], fires.map((fire) => [fire.nominal_time, fire.cause, resultOf(fire), fire.run?.id ?? null, fire.message]));

function details(schedule: Schedule): string {
  const { spec, counts } = schedule;
  const lines: [string, string | null][] = [
    ['id', schedule.id],
    ['name', schedule.name],
    ['status', [schedule.status, schedule.note].filter((part) => part !== null).join(' · ')],
    ['fires', `${spec.cron} in ${spec.timezone} (dst: gap ${spec.dst.gap}, overlap ${spec.dst.overlap})`],
    ['starts', spec.job === null ? 'a sweep' : 'a job'],
    ['overlap', spec.overlap_policy],
    ['catch-up', `${spec.catchup_window} s`],
    ['jitter', spec.jitter === 0 ? null : `${spec.jitter} s`],
    ['running', schedule.running.map(({ id }) => id).join(' ') || null],
    ['waiting', schedule.buffered.join(' ') || null],
    ['counts', `${counts.started} started, ${counts.skipped} skipped, ${counts.missed} missed, ${counts.failed} refused`],
  ];
  const text = lines.flatMap(([name, value]) => (value === null ? [] : [`${name.padEnd(11)}${clean(value)}`])).join('\n');
  const next = schedule.next_fires.length === 0 ? '' : `\n\nnext\n${timesTable(schedule.next_fires)}`;
  return `${text}${next}${schedule.last_fires.length === 0 ? '' : `\n\nlast\n${firesTable(schedule.last_fires)}`}`;
}
