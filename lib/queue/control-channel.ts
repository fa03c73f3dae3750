// Messages to live workers. Only what no store can carry goes this way: a preemption is a message to a process, while pause,
// cancel and kill stand in HEAD and are merely nudged here.
import { randomUUID } from 'node:crypto';
import type { FastConnection } from './connection.js';
import { queueKeys } from './keys.js';
import type { Subscriber } from './pubsub.js';
import type { QueueSettings } from './settings.js';
import { translateRedisError } from './redis-errors.js';

export interface PreemptRequest {
  job: string;
  /** Only this attempt; null: whichever runs. */
  attempt: string | null;
  graceSeconds: number;
}

export interface ControlHandlers {
  /** Whether this worker runs that attempt and takes the request. */
  preempt(request: PreemptRequest): boolean | Promise<boolean>;
  /** Finish what runs and take no more. */
  drain(): void;
  /** What HEAD wants of a job has changed, if the job is yours: read it. Of a schedule, too: controllers look at it. */
  nudge(id: string): void;
  /** Messages may have been missed: read HEAD of every job. */
  resync?(): void;
}

export interface ControlChannel {
  /** Whether a live worker took it within `waitMs`. */
  requestPreempt(job: string, attempt: string | null, options: { graceSeconds: number; waitMs?: number }): Promise<boolean>;
  drainWorker(id: string, options?: { waitMs?: number }): Promise<boolean>;
  /** Of a job or a schedule. Best effort; nobody answers. */
  nudge(id: string): Promise<void>;
  /** Handles messages to this worker until the returned function is called. */
  listen(workerId: string, handlers: ControlHandlers): () => void;
  close(): Promise<void>;
}

type Message =
  | { verb: 'nudge'; job: string }
  | ({ verb: 'preempt'; id: string; replyTo: string } & PreemptRequest)
  | { verb: 'drain'; id: string; replyTo: string; worker: string };
interface Reply {
  id: string;
  taken: boolean;
}

const WAIT_MS = 3_000;

export function makeControlChannel(connection: FastConnection, subscriber: Subscriber, { prefix, log, timing }: QueueSettings): ControlChannel {
  const keys = queueKeys(prefix);
  const replyTo = keys.replies(randomUUID());
  const waiting = new Map<string, (reply: Reply) => void>();
  let replies: { ready: Promise<void>; stop: () => void } | null = null;

  /** Everybody hears every message and answers those that ask; the first yes decides, and so do all noes. */
  async function ask(message: Message & { id: string }, waitMs: number): Promise<boolean> {
    await repliesReady();
    let timer: NodeJS.Timeout | undefined;
    const early: Reply[] = [];
    let heard = (reply: Reply): void => void early.push(reply);
    waiting.set(message.id, (reply) => heard(reply));
    try {
      const listeners = await connection.call(message.verb, (redis) => redis.publish(keys.control, JSON.stringify(message)));
      if (listeners === 0) return false;
      return await new Promise<boolean>((resolve) => {
        timer = setTimeout(() => resolve(false), waitMs);
        let noes = 0;
        heard = ({ taken }) => {
          if (taken) resolve(true);
          else if (++noes >= listeners) resolve(false);
        };
        early.forEach(heard);
      });
    } finally {
      clearTimeout(timer);
      waiting.delete(message.id);
    }
  }

  async function repliesReady(): Promise<void> {
    replies ??= listenForReplies();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(translateRedisError(new Error('Command timed out'), 'listen for answers') as Error), timing.callTimeoutMs);
    });
    await Promise.race([replies.ready, late]).finally(() => clearTimeout(timer));
  }

  function listenForReplies(): { ready: Promise<void>; stop: () => void } {
    let inPlace = (): void => undefined;
    const ready = new Promise<void>((resolve) => (inPlace = resolve));
    const stop = subscriber.subscribe(replyTo, {
      message: (text) => {
        const reply = JSON.parse(text) as Reply;
        waiting.get(reply.id)?.(reply);
      },
      resync: inPlace,
    });
    return { ready, stop };
  }

  async function handle(workerId: string, handlers: ControlHandlers, message: Message): Promise<void> {
    if (message.verb === 'nudge') {
      handlers.nudge(message.job);
      return;
    }
    const taken = await take(workerId, handlers, message).catch((error: unknown) => {
      log.error({ err: error, verb: message.verb }, 'a control message failed');
      return false;
    });
    const reply: Reply = { id: message.id, taken };
    await connection.call('answer a control message', (redis) => redis.publish(message.replyTo, JSON.stringify(reply)));
  }

  async function take(workerId: string, handlers: ControlHandlers, message: Exclude<Message, { verb: 'nudge' }>): Promise<boolean> {
    switch (message.verb) {
      case 'preempt':
        return handlers.preempt({ job: message.job, attempt: message.attempt, graceSeconds: message.graceSeconds });
      case 'drain':
        if (message.worker !== workerId) return false;
        handlers.drain();
        return true;
    }
  }

  return {
    requestPreempt: (job, attempt, { graceSeconds, waitMs = WAIT_MS }) =>
      ask({ verb: 'preempt', id: randomUUID(), replyTo, job, attempt, graceSeconds }, waitMs),
    drainWorker: (worker, { waitMs = WAIT_MS } = {}) => ask({ verb: 'drain', id: randomUUID(), replyTo, worker }, waitMs),
    async nudge(id) {
      const message: Message = { verb: 'nudge', job: id };
      await connection.call('nudge', (redis) => redis.publish(keys.control, JSON.stringify(message)));
    },
    listen: (workerId, handlers) =>
      subscriber.subscribe(keys.control, {
        message: (text) => void handle(workerId, handlers, JSON.parse(text) as Message).catch((error: unknown) => log.warn({ err: error }, 'a control message was not answered')),
        resync: () => handlers.resync?.(),
      }),
    close() {
      replies?.stop();
      return Promise.resolve();
    },
  };
}
