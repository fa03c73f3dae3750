// The one connection of a process that listens to channels. A message is only ever news that something should be read again:
// what is published while a listener is away is lost, so every listener is told to resync whenever its channel is (again) in place.
import type { Redis } from 'ioredis';
import { makePatientClient, type PatientClient } from './clients.js';
import type { FastConnection } from './connection.js';
import type { QueueSettings } from './settings.js';

export interface ChannelListener {
  message(text: string): void;
  /** The channel is in place, for the first time or after a gap. */
  resync(): void;
}

export interface Subscriber {
  /** Listens until the returned function is called. Waits for Redis as long as it takes. */
  subscribe(channel: string, listener: ChannelListener): () => void;
  close(): Promise<void>;
}

export function makeSubscriber(settings: QueueSettings, connection: Pick<FastConnection, 'onState'>): Subscriber {
  const { log, timing } = settings;
  const channels = new Map<string, Set<ChannelListener>>();
  let client: PatientClient | null = null;
  let pinger: NodeJS.Timeout | undefined;
  let closed = false;

  // Its own next try may be a second away when the other connection finds Redis back: whoever asks then waits for an answer here.
  const stopHurrying = connection.onState(({ status }) => {
    if (status === 'connected' && client?.redis.status === 'reconnecting') client.redis.connect().catch(() => undefined);
  });

  function open(): Redis {
    if (client) return client.redis;
    client = makePatientClient(settings, 'subscriber');
    const { redis } = client;
    redis.on('error', () => undefined);
    redis.on('message', (channel: string, text: string) => {
      for (const listener of [...(channels.get(channel) ?? [])]) guarded(() => listener.message(text));
    });
    // ioredis subscribes again by itself, before this answer comes: commands of a socket are answered in order.
    let first = true;
    redis.on('ready', () => {
      if (!first) redis.ping().then(() => resync([...channels.keys()]), () => undefined);
      first = false;
    });
    pinger = setInterval(() => void check(redis), timing.pingEveryMs);
    return redis;
  }

  /** An idle socket does not notice that its peer is gone. */
  async function check(redis: Redis): Promise<void> {
    if (redis.status !== 'ready') return;
    const timer = setTimeout(() => redis.disconnect(true), timing.callTimeoutMs);
    await redis.ping().catch(() => undefined);
    clearTimeout(timer);
  }

  function resync(names: readonly string[]): void {
    for (const name of names) {
      for (const listener of [...(channels.get(name) ?? [])]) guarded(() => listener.resync());
    }
  }

  function guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      log.error({ err: error }, 'a queue listener failed');
    }
  }

  return {
    subscribe(channel, listener) {
      if (closed) return () => undefined;
      const redis = open();
      let listeners = channels.get(channel);
      if (!listeners) channels.set(channel, (listeners = new Set()));
      listeners.add(listener);
      // Also for a second listener of a channel: the answer is what tells it that the channel is in place.
      redis.subscribe(channel).then(
        () => listeners.has(listener) && guarded(() => listener.resync()),
        () => undefined,
      );
      return () => {
        listeners.delete(listener);
        if (listeners.size > 0 || channels.get(channel) !== listeners) return;
        channels.delete(channel);
        if (!closed) redis.unsubscribe(channel).catch(() => undefined);
      };
    },
    async close() {
      closed = true;
      stopHurrying();
      clearInterval(pinger);
      channels.clear();
      await client?.end();
    },
  };
}
