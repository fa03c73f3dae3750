// A forked trainer as a test sees it: messages in, messages out in their order, and its end. Nothing is left behind
// once `close` has settled.
import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { FromTrainer, ToTrainer } from '../../../worker/protocol.js';
import { trainerEnvironment, type TrainerSetup } from '../../../worker/trainer-environment.js';

/** What the test entry tells besides the protocol. */
export type Witness = { type: 'test_executed'; number: number; epoch: number; sampleIds: number[] } | { type: 'test_struck' };
export type Told = FromTrainer | Witness | { type: 'exit'; signal: NodeJS.Signals | null; code: number | null };

/** Compiled by `npm run build`. */
export const PRODUCTION_ENTRY = fileURLToPath(new URL('../../../dist/worker/trainer/main.js', import.meta.url));
export const TEST_ENTRY = fileURLToPath(new URL('./trainer-entry.mjs', import.meta.url));

export interface ForkedTrainer {
  pid: number;
  send(message: ToTrainer): void;
  /** The next thing it tells; `exit` is the last, told again for ever. */
  next(): Promise<Told>;
  /** The next thing of this type, dropping what comes before it; an error if it fails or ends first. */
  until<T extends Told['type']>(type: T): Promise<Extract<Told, { type: T }>>;
  signal(signal: NodeJS.Signals): void;
  /** Disconnects, which ends a trainer, and waits for its end. */
  close(): Promise<void>;
}

export function forkTrainer({ entry = TEST_ENTRY, fault = null, intraOpThreads = 1, interOpThreads = 1, engine = 'tensorflow', execArgv = [], env = {} }: { entry?: string; fault?: object | null; execArgv?: string[]; env?: Record<string, string> } & Partial<TrainerSetup> = {}): ForkedTrainer {
  if (!existsSync(PRODUCTION_ENTRY)) throw new Error(`${PRODUCTION_ENTRY} is missing: run npm run build`);
  const child = fork(entry, [], { env: { ...process.env, ...trainerEnvironment({ engine, intraOpThreads, interOpThreads, gpu: null }), PAWL_TEST_FAULT: JSON.stringify(fault), ...env }, execArgv, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const told: Told[] = [];
  let ended: Extract<Told, { type: 'exit' }> | null = null;
  let wake = (): void => undefined;
  const tell = (message: Told): void => {
    told.push(message);
    wake();
  };
  child.on('message', (message) => tell(message as Told));
  const over = new Promise<void>((resolve) => {
    child.on('exit', (code, signal) => {
      // messages that were sent before the end may still be on their way through the pipe
      setImmediate(() => {
        tell((ended = { type: 'exit', code, signal }));
        resolve();
      });
    });
  });
  async function next(): Promise<Told> {
    for (;;) {
      const first = told.shift();
      if (first !== undefined) return first;
      if (ended !== null) return ended;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  }
  return {
    pid: child.pid ?? -1,
    send: (message) => void child.send(message, () => undefined),
    next,
    async until(type) {
      for (;;) {
        const message = await next();
        if (message.type === type) return message as Extract<Told, { type: typeof type }>;
        if (message.type === 'failed' || message.type === 'exit') throw new Error(`expected ${type}, got ${JSON.stringify(message)}`);
      }
    },
    signal: (signal) => void child.kill(signal),
    async close() {
      if (child.connected) child.disconnect();
      await over;
    },
  };
}
