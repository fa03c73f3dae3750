// What an attempt says, twice: on the worker's own log, and as lines of the job's log, which its user reads. Lines go to Redis at
// once and into the store with the next checkpoint or at the end; a log that cannot be kept never keeps training waiting.
import type { Clock } from '../../lib/clock.js';
import type { LogLevel, LogLine } from '../../lib/contract/rows.js';
import { messageOf } from '../../lib/errors.js';
import { LOG_ID_STRIDE, writeLogPage } from '../../lib/jobs/logs.js';
import type { Store } from '../../lib/store/index.js';
import type { FeedStamp, LiveFeed } from './live-feed.js';

type Say = (fields: object, message: string) => void;

/** The part of a log that attempts use. */
export interface SayLog {
  debug: Say;
  info: Say;
  warn: Say;
  error: Say;
}

export interface AttemptLog extends SayLog {
  /** A line that the trainer wrote to its standard error; remarks are for developers, and not the job's. */
  trainerSaid(line: string, remark: boolean): void;
  /** Puts into the store what is not there yet. Never fails. */
  keep(): Promise<void>;
}

/** Of a line; a stack or a dump is no line. */
const MESSAGE_MAX = 2_000;
/** Lines of an attempt. A program that says more says it to nobody. */
const LINES_MAX = LOG_ID_STRIDE - 2;
/** An attempt's end waits no longer for a store that hangs. */
const PATIENCE_MS = 5_000;
/** Lines that wait for a store that is away. */
const WAITING_MAX = 10_000;

export function makeAttemptLog(log: SayLog, { store, feed, clock }: { store: Pick<Store, 'put'>; feed: Pick<LiveFeed, 'logs'>; clock: Pick<Clock, 'now'> }, stamp: FeedStamp): AttemptLog {
  let said = 0;
  let waiting: LogLine[] = [];
  let keeping: Promise<void> = Promise.resolve();

  function add(level: LogLevel, source: LogLine['source'], message: string): void {
    if (said > LINES_MAX) return;
    const text = said === LINES_MAX ? `this attempt said more than ${LINES_MAX} lines: the rest is left out` : message;
    const line: LogLine = { id: stamp.fence * LOG_ID_STRIDE + ++said, at: clock.now().toISOString(), level, source, attempt: stamp.number, message: text.slice(0, MESSAGE_MAX) };
    if (waiting.length < WAITING_MAX) waiting.push(line);
    feed.logs(stamp, [line]);
  }
  const both =
    (level: LogLevel): Say =>
    (fields, message) => {
      log[level](fields, message);
      add(level, 'supervisor', withFields(fields, message));
    };

  async function keepWaiting(): Promise<void> {
    const page = [...waiting];
    if (page.length === 0) return;
    try {
      await writeLogPage(store, stamp.job, page, AbortSignal.timeout(PATIENCE_MS));
      waiting = waiting.slice(page.length);
    } catch (error) {
      log.debug({ err: error }, 'the log was not kept');
    }
  }

  return {
    debug: (fields, message) => log.debug(fields, message),
    info: both('info'),
    warn: both('warn'),
    error: both('error'),
    trainerSaid: (line, remark) => {
      log[remark ? 'debug' : 'warn']({}, line);
      if (!remark) add('warn', 'trainer', line);
    },
    keep: () => (keeping = keeping.then(keepWaiting)),
  };
}

/** The fields as people read them: `stopping (reason preempted_notice, deadline_ms 30000)`. */
function withFields(fields: object, message: string): string {
  const { err, ...rest } = fields as { err?: unknown };
  const told = Object.entries(rest).flatMap(([name, value]) => (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? [`${name} ${value}`] : []));
  return `${message}${err === undefined ? '' : `: ${messageOf(err)}`}${told.length > 0 ? ` (${told.join(', ')})` : ''}`;
}
