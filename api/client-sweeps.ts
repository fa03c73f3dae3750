// The API's sweeps as functions: the part of client.ts that is about them.
import { randomUUID } from 'node:crypto';
import type { AskInput, Asked, TellInput, ToldTrial } from '../lib/contract/external.js';
import type { Sweep, SweepDryRun, SweepExport, SweepImportance, SweepListItem, Trial } from '../lib/contract/sweep-views.js';
import type { SweepVerb } from '../lib/sweeps/events.js';
import type { List } from './lists.js';

export interface ListSweepsQuery {
  status?: readonly string[];
  name?: string;
  schedule?: string;
  after?: string;
  limit?: number;
}

export interface SweepClient {
  /** A key is made where none is given, so that trying again never makes a second sweep. */
  start(spec: unknown, options?: { idempotencyKey?: string }): Promise<{ sweep: Sweep; replayed: boolean }>;
  dryRun(spec: unknown): Promise<SweepDryRun>;
  list(query?: ListSweepsQuery): Promise<List<SweepListItem>>;
  get(id: string): Promise<Sweep>;
  trials(id: string, query?: { after?: string; limit?: number }): Promise<List<Trial>>;
  trial(id: string, number: number): Promise<Trial>;
  importance(id: string): Promise<SweepImportance>;
  export(id: string): Promise<SweepExport>;
  /** The trials as a table. */
  exportCsv(id: string): Promise<string>;
  /** A page of HTML. */
  report(id: string): Promise<string>;
  verb(id: string, verb: SweepVerb): Promise<Sweep>;
  /** By a name of its own, whoever asks is given the same trials again while they run; without one, every ask that is heard gives new ones. */
  ask(id: string, wanted?: AskInput): Promise<Asked>;
  tell(id: string, told: TellInput): Promise<ToldTrial>;
}

/** How client.ts asks. What is posted here may be sent again, but for what says `once`. */
export interface Calls {
  get<T>(path: string, query?: Record<string, string | number | undefined>): Promise<T>;
  /** @param type of the answer */
  text(path: string, type: string, query?: Record<string, string>): Promise<string>;
  post<T>(path: string, options?: { query?: Record<string, string>; body?: unknown; headers?: Record<string, string>; once?: boolean }): Promise<{ answer: T; headers: Headers }>;
}

export function makeSweepClient({ get, text, post }: Calls): SweepClient {
  const pathOf = (id: string, rest = ''): string => `/v1/sweeps/${encodeURIComponent(id)}${rest}`;
  return {
    start: async (spec, { idempotencyKey = randomUUID() } = {}) => {
      const { answer: sweep, headers } = await post<Sweep>('/v1/sweeps', { body: spec, headers: { 'idempotency-key': idempotencyKey } });
      return { sweep, replayed: headers.get('idempotent-replayed') === 'true' };
    },
    dryRun: async (spec) => (await post<SweepDryRun>('/v1/sweeps', { query: { dry_run: 'true' }, body: spec })).answer,
    list: ({ status, ...rest } = {}) => get('/v1/sweeps', { ...rest, status: status?.join(',') }),
    get: (id) => get(pathOf(id)),
    trials: (id, query) => get(pathOf(id, '/trials'), { ...query }),
    trial: (id, number) => get(pathOf(id, `/trials/${number}`)),
    importance: (id) => get(pathOf(id, '/importance')),
    export: (id) => get(pathOf(id, '/export')),
    exportCsv: (id) => text(pathOf(id, '/export'), 'text/csv', { format: 'csv' }),
    report: (id) => text(pathOf(id, '/report'), 'text/html'),
    verb: async (id, verb) => (await post<Sweep>(pathOf(id, `/${verb}`))).answer,
    ask: async (id, wanted = {}) => (await post<Asked>(pathOf(id, '/trials/ask'), { body: wanted, once: wanted.client === undefined })).answer,
    tell: async (id, told) => (await post<ToldTrial>(pathOf(id, '/trials/tell'), { body: told })).answer,
  };
}
