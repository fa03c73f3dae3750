// A trainer's side of the conversation with its supervisor: one attempt at a time, several one after another in one
// process. Messages of any other attempt are dropped.
import type { FromTrainer, ToTrainer } from '../protocol.js';
import { startAttempt, type Attempt, type Hooks } from './attempt.js';
import type { Engine } from './engines/index.js';
import { failureOf, peakMemoryMib } from './failures.js';

export interface Port {
  send(message: FromTrainer): void;
  onMessage(listener: (message: ToTrainer) => void): void;
}

export interface ServeOptions {
  /** May still be loading; an attempt that cannot have its engine fails with the reason. */
  engine: Promise<Engine>;
  hooks?: Hooks;
  /** How long training goes on while nothing can be committed; by default without a limit. */
  unsavedMs?: number;
}

export interface Trainer {
  /** What to tell of an exception that nobody caught; null if no attempt is there to be told about. */
  crashed(error: unknown): FromTrainer | null;
}

export function serve(port: Port, { engine, hooks = {}, unsavedMs = Infinity }: ServeOptions): Trainer {
  let current: { id: string; attempt: Attempt } | null = null;
  const baseline = engine.then((loaded) => loaded.liveTensors());
  // the reason is told to whoever asks for an attempt
  baseline.catch(() => undefined);

  const failed = (attempt: string, error: unknown): FromTrainer => ({ type: 'failed', attempt, ...failureOf(error), peakMemoryMib: peakMemoryMib() });

  async function release(id: string, attempt: Attempt): Promise<void> {
    attempt.abandon();
    const healthy = await attempt.ended;
    current = null;
    const clean = healthy && (await engine).liveTensors() === (await baseline);
    port.send({ type: 'idle', attempt: id, clean, peakMemoryMib: peakMemoryMib() });
  }

  port.onMessage((message) => {
    if (message.type === 'start') {
      if (current !== null) return port.send(failed(message.attempt, new Error(`the trainer still serves the attempt ${current.id}`)));
      current = { id: message.attempt, attempt: startAttempt({ start: message, engine, send: port.send, hooks, unsavedMs }) };
      return;
    }
    if (current === null || message.attempt !== current.id) return;
    if (message.type === 'release') void release(current.id, current.attempt);
    else current.attempt.receive(message);
  });

  return { crashed: (error) => (current === null ? null : failed(current.id, error)) };
}
