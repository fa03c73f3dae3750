// Decides away from the event loop where that takes long: in a thread, one a process, which follows the logs that it is asked about, so
// that a question carries only what is new. It starts with the first such question; what is quick is decided here.
import { Worker } from 'node:worker_threads';
import type { SweepSpec } from '../contract/sweep.js';
import { decide, type Rules } from './decide.js';
import type { Decision, LogEntry, SweepEvent } from './events.js';
import type { SweepState } from './state.js';
import type { WarmStart } from './warm-start.js';

/** What rules follow from. */
interface Ruled {
  spec: SweepSpec;
  warm_start?: WarmStart | null;
}

/** Of one log. */
export interface LogDecider {
  /** The log has this entry now. */
  took(entry: LogEntry): void;
  /** As decide in decide.ts, of the log as it is now. */
  decide(rules: Rules, state: SweepState, event: SweepEvent): Promise<Decision[]>;
}

export interface Decider {
  follow(record: Ruled): LogDecider;
  close(): Promise<void>;
}

/** What the thread is asked. */
export interface Question {
  number: number;
  log: number;
  /** Entries that it is to know already; with `base` it begins there instead. */
  from: number;
  base: { record: Ruled; state: SweepState } | null;
  entries: readonly LogEntry[];
  event: SweepEvent;
}
/** `lost`: it does not know the log up to `from`. */
export type Answer = { number: number } & ({ kind: 'decided'; decisions: Decision[] } | { kind: 'lost' } | { kind: 'failed'; message: string });

/** Trials looked at, times parameters, for all draws together: a millisecond or two. */
const QUICK_MAX = 2_000;
/** New entries after which the state is sent again instead. */
const NEWS_MAX = 500;

function isQuick({ spec, space }: Rules, { trials }: SweepState, event: SweepEvent): boolean {
  if (spec.method !== 'tpe' && spec.method !== 'bayes') return true;
  const draws = event.type === 'asked' ? event.count : spec.execution === 'jobs' ? (spec.budget.max_concurrent ?? 1) : 0;
  return draws * trials.length * space.dimensions.size <= QUICK_MAX;
}

interface Thread {
  worker: Worker;
  waiting: Map<number, { resolve(answer: Answer): void; reject(error: Error): void }>;
}

/** @param entry the compiled decide-thread.ts */
export function makeDecider(entry: string): Decider {
  let thread: Thread | null = null;
  let questions = 0;
  let logs = 0;

  function start(): Thread {
    const worker = new Worker(entry);
    const made: Thread = { worker, waiting: new Map() };
    const end = (error: Error): void => {
      if (thread === made) thread = null;
      for (const { reject } of made.waiting.values()) reject(error);
      made.waiting.clear();
    };
    worker.on('message', (answer: Answer) => {
      made.waiting.get(answer.number)?.resolve(answer);
      made.waiting.delete(answer.number);
      if (made.waiting.size === 0) worker.unref();
    });
    worker.on('error', end);
    worker.on('exit', () => end(new Error('the thread that decides has ended')));
    return made;
  }

  function ask(to: Thread, question: Omit<Question, 'number'>): Promise<Answer> {
    const number = questions++;
    to.worker.ref();
    return new Promise((resolve, reject) => {
      to.waiting.set(number, { resolve, reject });
      to.worker.postMessage({ number, ...question } satisfies Question);
    });
  }

  function follow(record: Ruled): LogDecider {
    const log = logs++;
    /** What the thread does not know yet of a log that it knows. */
    let told: { thread: Thread; news: LogEntry[] } | null = null;

    async function decideThere(state: SweepState, event: SweepEvent): Promise<Decision[]> {
      for (;;) {
        const to = (thread ??= start());
        const news = told?.thread === to ? told.news : null;
        told = { thread: to, news: [] };
        const answer = await ask(to, { log, from: state.entries - (news?.length ?? 0), base: news ? null : { record: { spec: record.spec, warm_start: record.warm_start ?? null }, state }, entries: news ?? [], event });
        if (answer.kind === 'decided') return answer.decisions;
        told = null;
        if (answer.kind === 'failed') throw new Error(`the thread that decides: ${answer.message}`);
      }
    }

    return {
      took: (entry) => {
        if (told && told.news.push(entry) > NEWS_MAX) told = null;
      },
      decide: async (rules, state, event) => (isQuick(rules, state, event) ? decide(rules, state, event) : decideThere(state, event)),
    };
  }

  return { follow, close: async () => void (await thread?.worker.terminate()) };
}
