// The look at Redis of a process that starts: one that is too old for what Pawl asks of it ends the process, what else is wrong is
// logged once. A Redis that is away keeps nobody from starting; it is looked at when it is there.
import { AppError } from '../errors.js';
import type { QueueState } from './connection.js';
import type { QueueFacts } from './facts.js';
import type { QueueLog } from './settings.js';

interface Asked {
  check(): Promise<QueueFacts>;
  onState(listener: (state: QueueState) => void): () => void;
}

/**
 * @param refuse for a Redis that is found too old only later
 * @throws AppError invalid_request if it is now
 */
export async function checkAtStart(queue: Asked, log: QueueLog, refuse: (error: unknown) => void): Promise<void> {
  let isDone = false;
  const look = async (): Promise<void> => {
    // One that does not say (a proxy, a user without the right to ask) is taken as it is.
    const facts = await queue.check().catch(() => null);
    if (facts === null || isDone) return;
    isDone = true;
    for (const { message, fix, isRefused } of facts.problems) {
      if (isRefused) throw new AppError('invalid_request', `${message}: ${fix} (REDIS_URL is ${facts.redis})`, { param: 'REDIS_URL' });
      log.warn({ redis: facts.redis, fix }, message);
    }
  };
  await look();
  if (isDone) return;
  const stop = queue.onState(({ status }) => {
    if (status !== 'connected') return;
    void look().catch(refuse).then(() => isDone && stop());
  });
}
