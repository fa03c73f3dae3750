// The thread that decides for decider.ts: it keeps the states of the logs that it was asked about last.
import { parentPort } from 'node:worker_threads';
import { messageOf } from '../errors.js';
import { makeRecent } from '../jobs/recent.js';
import { decide, type Rules } from './decide.js';
import type { Answer, Question } from './decider.js';
import { rulesOf } from './log.js';
import { applied, type SweepState } from './state.js';

const LOGS_MAX = 32;
const logs = makeRecent<{ rules: Rules; state: SweepState }>(LOGS_MAX);

function answer({ log, from, base, entries, event }: Question): { kind: 'decided'; decisions: ReturnType<typeof decide> } | { kind: 'lost' } {
  const known = base ? { rules: rulesOf(base.record), state: base.state } : logs.get(String(log));
  if (!known || known.state.entries !== from) return { kind: 'lost' };
  const { rules } = known;
  const state = entries.reduce((now, entry) => applied(rules.spec, now, entry), known.state);
  logs.set(String(log), { rules, state });
  return { kind: 'decided', decisions: decide(rules, state, event) };
}

parentPort?.on('message', (question: Question) => {
  const { number } = question;
  const say = (said: Answer): void => parentPort?.postMessage(said);
  try {
    say({ number, ...answer(question) });
  } catch (error) {
    say({ number, kind: 'failed', message: messageOf(error) });
  }
});
