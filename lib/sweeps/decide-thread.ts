// The thread's side of decider.ts: it keeps the states of the logs that it was asked about last. Which makers it knows is said by the
// file that the thread begins with.
import { parentPort } from 'node:worker_threads';
import { messageOf } from '../errors.js';
import { makeRecent } from '../jobs/recent.js';
import { decide } from './decide.js';
import type { Answer, Question } from './decider.js';
import { rulesOf } from './log.js';
import type { Followed, Maker } from './makers.js';
import { applied } from './state.js';

const LOGS_MAX = 32;

export function answerQuestions(makers: readonly Maker<never, unknown>[]): void {
  const logs = makeRecent<Followed>(LOGS_MAX);
  const byName = new Map(makers.map((maker) => [maker.name, maker]));

  /** The log as the question has it; null where it is not known so far. */
  function followed({ log, from, base, entries }: Question): Followed | null {
    const known = base ? begun(base) : logs.get(String(log));
    if (!known || known.state.entries !== from) return null;
    const sweep = { ...known, state: entries.reduce((now, entry) => applied(known.rules.spec, now, entry), known.state) };
    logs.set(String(log), sweep);
    return sweep;
  }

  function resultOf(sweep: Followed, { task }: Question): unknown {
    if (task.kind === 'decide') return decide(sweep.rules, sweep.state, task.event);
    const maker = byName.get(task.maker);
    if (!maker) throw new Error(`it has no maker ${JSON.stringify(task.maker)}`);
    return maker.make(sweep, task.facts as never);
  }

  async function answer(question: Question): Promise<void> {
    const { number } = question;
    const say = (said: Answer, owned: readonly ArrayBuffer[] = []): void => parentPort?.postMessage(said, owned);
    try {
      const sweep = followed(question);
      if (!sweep) return say({ number, kind: 'lost' });
      const result = await resultOf(sweep, question);
      say({ number, kind: 'done', result }, buffersOf(result));
    } catch (error) {
      say({ number, kind: 'failed', message: messageOf(error) });
    }
  }

  parentPort?.on('message', (question: Question) => void answer(question));
}

function begun({ record, state }: NonNullable<Question['base']>): Followed {
  const { warnings, ...rules } = rulesOf(record);
  return { record, rules, warnings, state };
}

/** Bytes among what was made, which are handed over and not copied. */
function buffersOf(result: unknown): ArrayBuffer[] {
  if (typeof result !== 'object' || result === null || Array.isArray(result)) return [];
  const parts: unknown[] = result instanceof Uint8Array ? [result] : Object.values(result);
  return parts.flatMap((part) => (part instanceof Uint8Array && part.buffer instanceof ArrayBuffer ? [part.buffer] : []));
}
