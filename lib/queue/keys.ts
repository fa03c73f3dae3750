// Every key and channel of the queue but BullMQ's own, which live under `<prefix>:tickets:`.

/** BullMQ's name of the one queue. */
export const TICKET_QUEUE = 'tickets';

export const queueKeys = (prefix: string) => ({
  /** Hash: the last beat of a job's owner. */
  beat: (job: string) => `${prefix}:beat:${job}`,
  /** Zset: jobs by their owner's last beat, in Redis' milliseconds. */
  beats: `${prefix}:beats`,
  /** Hash: since when, and when last, anyone looked at heartbeats. */
  watch: `${prefix}:watch`,
  /** String: when an owner that nobody has heard was first asked for. */
  asked: (job: string, attempt: string) => `${prefix}:asked:${job}:${attempt}`,
  /** String: what a worker says of itself; zset: workers by their last beat. */
  worker: (id: string) => `${prefix}:worker:${id}`,
  workers: `${prefix}:workers`,
  /** Stream: a job's live events; hash: the newest stamp that wrote. */
  events: (job: string) => `${prefix}:events:${job}`,
  eventsStamp: (job: string) => `${prefix}:events:${job}:stamp`,
  /** Stream: a job's latest log lines; hash: the newest stamp that wrote. */
  logs: (job: string) => `${prefix}:logs:${job}`,
  logsStamp: (job: string) => `${prefix}:logs:${job}:stamp`,
  /** Zset: rows by update or epoch; hash: the newest stamp that wrote. */
  rows: (job: string, series: string) => `${prefix}:rows:${job}:${series}`,
  rowsStamp: (job: string) => `${prefix}:rows:${job}:stamp`,
  /** Hash: a stamped value. */
  cache: (job: string) => `${prefix}:cache:${job}`,
  /** Hash: sums by their names. */
  tallies: `${prefix}:tallies`,
  /** String: set once the contents were rebuilt from the store. */
  seed: `${prefix}:seed`,
  seeding: (token: string) => `${prefix}:seeding:${token}`,
  /** Channels. */
  news: (job: string) => `${prefix}:news:${job}`,
  logNews: (job: string) => `${prefix}:news:${job}:logs`,
  control: `${prefix}:control`,
  replies: (id: string) => `${prefix}:replies:${id}`,
});
