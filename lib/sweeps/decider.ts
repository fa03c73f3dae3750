// Decides, and makes what readers ask for (makers.ts), away from the event loop where that takes long: in two threads a process, one for
// each, so that no program waits for its next trial while somebody reads. A thread follows the logs that it is asked about, so that a
// question carries only what is new, and starts with the first question; what is quick is done here.
import { Worker } from 'node:worker_threads';
import { decide, type Rules } from './decide.js';
import type { Decision, LogEntry, SweepEvent } from './events.js';
import type { Followed, Maker } from './makers.js';
import type { SweepRecord } from './record.js';
import type { SweepState } from './state.js';

/** Of one log. */
export interface LogDecider {
  /** The log has this entry now. */
  took(entry: LogEntry): void;
  /** As decide in decide.ts, of the log as it is now. */
  decide(rules: Rules, state: SweepState, event: SweepEvent): Promise<Decision[]>;
  /** As the maker, of the log as it is now. */
  make<F, T>(sweep: Followed, maker: Maker<F, T>, facts: F): Promise<T>;
}

export interface Decider {
  follow(record: SweepRecord): LogDecider;
  close(): Promise<void>;
}

/** What is asked of a log. */
export type Task = { kind: 'decide'; event: SweepEvent } | { kind: 'make'; maker: string; facts: unknown };
/** What the thread is asked. */
export interface Question {
  number: number;
  log: number;
  /** Entries that it is to know already; with `base` it begins there instead. */
  from: number;
  base: { record: SweepRecord; state: SweepState } | null;
  entries: readonly LogEntry[];
  task: Task;
}
/** `lost`: it does not know the log up to `from`. */
export type Answer = { number: number } & ({ kind: 'done'; result: unknown } | { kind: 'lost' } | { kind: 'failed'; message: string });

/** Trials looked at, times parameters, for all draws together, or times the weight of a maker: a millisecond or two. */
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

/** One thread, and what it knows. */
interface Aside {
  /** What may be asked of a log. */
  follow(log: number, record: SweepRecord): { took(entry: LogEntry): void; ask(state: SweepState, task: Task): Promise<unknown> };
  close(): Promise<void>;
}

function makeAside(entry: string): Aside {
  let thread: Thread | null = null;
  let questions = 0;

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
    worker.on('exit', () => end(new Error('a thread for sweeps has ended')));
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

  return {
    follow: (log, record) => {
      /** What the thread does not know yet of a log that it knows. */
      let told: { thread: Thread; news: LogEntry[] } | null = null;
      return {
        took: (entry) => {
          if (told && told.news.push(entry) > NEWS_MAX) told = null;
        },
        ask: async (state, task) => {
          for (;;) {
            const to = (thread ??= start());
            const news = told?.thread === to ? told.news : null;
            told = { thread: to, news: [] };
            const answer = await ask(to, { log, from: state.entries - (news?.length ?? 0), base: news ? null : { record, state }, entries: news ?? [], task });
            if (answer.kind === 'done') return answer.result;
            told = null;
            if (answer.kind === 'failed') throw new Error(`a thread for sweeps: ${answer.message}`);
          }
        },
      };
    },
    close: async () => void (await thread?.worker.terminate()),
  };
}

/** @param entry a compiled file that answers questions (decide-thread.ts), and knows every maker that it is asked for */
export function makeDecider(entry: string): Decider {
  const [deciding, making] = [makeAside(entry), makeAside(entry)];
  let logs = 0;

  function follow(record: SweepRecord): LogDecider {
    const log = logs++;
    const [decisions, made] = [deciding.follow(log, record), making.follow(log, record)];
    return {
      took: (entry) => {
        decisions.took(entry);
        made.took(entry);
      },
      decide: async (rules, state, event) => (isQuick(rules, state, event) ? decide(rules, state, event) : ((await decisions.ask(state, { kind: 'decide', event })) as Decision[])),
      make: async <F, T>(sweep: Followed, maker: Maker<F, T>, facts: F) => {
        const { state, rules } = sweep;
        const quick = maker.weight * state.trials.length * rules.space.dimensions.size <= QUICK_MAX;
        return quick ? maker.make(sweep, facts) : ((await made.ask(state, { kind: 'make', maker: maker.name, facts })) as T);
      },
    };
  }

  return { follow, close: async () => void (await Promise.all([deciding.close(), making.close()])) };
}
