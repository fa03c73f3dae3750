// The clouds' metadata services as their documentation says they behave, and as they behave on a bad day.
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeAwsSource } from '../../../worker/supervisor/notices/aws.js';
import { makeAzureSource } from '../../../worker/supervisor/notices/azure.js';
import { makeGcpSource } from '../../../worker/supervisor/notices/gcp.js';
import { sourcesOf, watchNotices } from '../../../worker/supervisor/notices/index.js';
import { untilMs } from '../../../worker/supervisor/notices/metadata.js';
import type { Announced, NoticeSource } from '../../../worker/supervisor/notices/source.js';
import { type Asked, type MetadataServer, type Reply, startMetadataServer } from '../../support/metadata-server.js';

const silent = { debug: () => undefined, info: () => undefined };
const signal = new AbortController().signal;
const NOBODY = 'no metadata service is listened to: notices of this machine’s end come by signal only';
const NOTHING: Reply = { status: 404, text: 'Not Found' };

async function serve(reply: (asked: Asked) => Reply | Promise<Reply>): Promise<MetadataServer> {
  const server = await startMetadataServer(reply);
  onTestFinished(() => server.stop());
  return server;
}
async function until(what: string, look: () => boolean, ms = 10_000): Promise<void> {
  for (const end = performance.now() + ms; !look(); ) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
function watch(source: NoticeSource, wanted: 'auto' | string[] = [source.name], options: { detectPauseMs?: number } = {}) {
  const told: Announced[] = [];
  const lines: (readonly [object, string])[] = [];
  const log = { ...silent, info: (fields: object, message: string) => void lines.push([fields, message]) };
  const notices = watchNotices({ wanted, urls: { aws: '', gcp: '', azure: '' }, log, onAnnounced: (announced) => told.push(announced), ...options }, [source]);
  onTestFinished(() => notices.close());
  return { told, notices, lines };
}

describe('AWS', () => {
  /** IMDSv2 with one valid token at a time; what is at a path, else 404. */
  function imds(at: Record<string, string>) {
    const state = { token: 'token-1', issued: 0, at, date: 'Fri, 01 Jan 2027 00:00:30 GMT' };
    const reply = ({ method, path, headers }: Asked): Reply => {
      if (path === '/latest/api/token') {
        if (method !== 'PUT' || headers['x-aws-ec2-metadata-token-ttl-seconds'] !== '21600') return { status: 400 };
        state.issued += 1;
        return { text: state.token };
      }
      if (headers['x-aws-ec2-metadata-token'] !== state.token) return { status: 401 };
      const text = state.at[path.replace('/latest/meta-data/', '')];
      return text === undefined ? NOTHING : { text, headers: { date: state.date } };
    };
    return { state, reply };
  }
  const source = (server: MetadataServer, pauseMs = 5): NoticeSource => makeAwsSource({ baseUrl: server.url, timeoutMs: 300, pauseMs });

  it('asks with a token, gets a new one when it has run out, and tells nothing while there is nothing', async () => {
    const { state, reply } = imds({ 'instance-id': 'i-0123456789abcdef0' });
    const server = await serve(reply);
    const aws = source(server);
    expect(await aws.detect(signal)).toBe(true);
    expect(await aws.look(signal)).toEqual([]);
    expect(state.issued).toBe(1);
    state.token = 'token-2';
    expect(await aws.look(signal)).toEqual([]);
    expect(state.issued).toBe(2);
  });

  it('tells an interruption with its time, a hibernation without one, a rebalance as a hint', async () => {
    const { state, reply } = imds({});
    const aws = source(await serve(reply));
    state.at = { 'spot/instance-action': '{"action":"terminate","time":"2027-01-01T00:02:00Z"}', 'events/recommendations/rebalance': '{"noticeTime":"2027-01-01T00:00:00Z"}' };
    expect(await aws.look(signal)).toEqual([{ kind: 'notice', message: 'AWS: spot interruption (terminate at 2027-01-01T00:02:00.000Z)', leftMs: 90_000 }]);
    state.at = { 'spot/instance-action': '{"action":"hibernate","time":"2027-01-01T00:02:00Z"}' };
    expect(await aws.look(signal)).toEqual([{ kind: 'notice', message: 'AWS: spot interruption (hibernate)', leftMs: null }]);
    state.at = { 'events/recommendations/rebalance': '{"noticeTime":"2027-01-01T00:00:00Z"}' };
    expect(await aws.look(signal)).toEqual([{ kind: 'hint', message: 'AWS: rebalance recommendation of 2027-01-01T00:00:00Z' }]);
  });

  it('counts by the answer’s own clock what is left, and believes in two minutes at most', async () => {
    const { state, reply } = imds({ 'spot/instance-action': '{"action":"terminate","time":"2027-01-01T00:02:00Z"}' });
    const aws = source(await serve(reply));
    for (const [date, leftMs] of [
      ['Fri, 01 Jan 2027 00:01:50 GMT', 10_000],
      ['Fri, 01 Jan 2027 00:02:10 GMT', 0],
      ['Thu, 31 Dec 2026 23:00:00 GMT', 120_000],
    ] as const) {
      state.date = date;
      expect(await aws.look(signal), date).toMatchObject([{ leftMs }]);
    }
    expect(untilMs(10_000, { headers: new Headers() }, 4_000), 'without a Date').toBe(6_000);
  });

  it('works where metadata has no tokens, and is not taken in by another server', async () => {
    const old = await serve(({ path }) => (path === '/latest/meta-data/instance-id' ? { text: 'i-0abc' } : NOTHING));
    expect(await source(old).detect(signal)).toBe(true);
    expect(await source(old).look(signal)).toEqual([]);
    expect(await source(await serve(() => ({ text: '<html>welcome</html>' }))).detect(signal)).toBe(false);
    expect(await source(await serve(() => NOTHING)).detect(signal)).toBe(false);
  });

  it('is told once, whatever flaps, hangs, is cut or answers nonsense around it', async () => {
    const { state, reply } = imds({});
    const days: (Reply | null)[] = ['hang', 'cut', { status: 500 }, { text: '<html>' }, null];
    const server = await serve((asked) => (asked.path === '/latest/meta-data/spot/instance-action' && days.length > 0 ? (days.shift() ?? reply(asked)) : reply(asked)));
    const { told } = watch(source(server));
    await until('the bad day is over', () => days.length === 0, 20_000);
    expect(told).toEqual([]);
    const action = { 'spot/instance-action': '{"action":"stop","time":"2027-01-01T00:02:00Z"}' };
    for (const at of [action, {}, action]) {
      state.at = at;
      const before = server.asked.length;
      await until('three more looks', () => server.asked.length > before + 6);
    }
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ kind: 'notice', leftMs: 90_000 });
  });
});

describe('GCP', () => {
  const flavor = { 'metadata-flavor': 'Google', etag: 'e1' };
  const source = (server: MetadataServer): NoticeSource => makeGcpSource({ baseUrl: server.url, timeoutMs: 300, waitSeconds: 1, pauseMs: 5 });

  it('waits for the change, and hears of it at once', async () => {
    let preempt = (): void => undefined;
    const preempted = new Promise<Reply>((resolve) => (preempt = () => resolve({ text: 'TRUE', headers: { ...flavor, etag: 'e2' } })));
    const server = await serve(({ path, headers }) => {
      if (headers['metadata-flavor'] !== 'Google') return { status: 403 };
      if (path.endsWith('/instance/id')) return { text: '42', headers: flavor };
      return path.includes('wait_for_change') ? preempted : { text: 'FALSE\n', headers: flavor };
    });
    const { told, notices } = watch(source(server), 'auto');
    await notices.firstLook(5_000);
    await until('it waits', () => server.asked.some(({ path }) => path.includes('wait_for_change=true&timeout_sec=1&last_etag=e1')));
    expect(told).toEqual([]);
    preempt();
    await until('it is told', () => told.length > 0);
    expect(told[0]).toMatchObject({ kind: 'notice', message: 'GCP: the machine is preempted', leftMs: 30_000 });
  });

  it('asks again after a wait that brought nothing, a 503 and a cut, and knows others', async () => {
    const days: Reply[] = [{ text: 'FALSE', headers: flavor }, { status: 503 }, { text: 'FALSE', headers: flavor }, 'hang', 'cut', { text: 'maybe' }];
    const server = await serve(() => days.shift() ?? { text: 'TRUE', headers: flavor });
    const { told } = watch(source(server));
    await until('it is told', () => told.length > 0, 20_000);
    expect(days).toEqual([]);
    expect(told).toHaveLength(1);
    expect(await source(await serve(() => ({ text: '42' }))).detect(signal)).toBe(false);
  });
});

describe('Azure', () => {
  interface Event {
    EventId: string;
    EventType: string;
    EventStatus?: string;
    NotBefore?: string;
    Resources?: string[];
  }
  function scheduled(events: Event[]) {
    const state = { events, started: [] as string[], name: { text: 'vm-1' } as Reply };
    const reply = ({ method, path, headers, body }: Asked): Reply => {
      if (headers['metadata'] !== 'true') return { status: 400 };
      if (path.startsWith('/metadata/instance/compute/name')) return state.name;
      if (path !== '/metadata/scheduledevents?api-version=2020-07-01') return NOTHING;
      if (method === 'POST') {
        state.started.push(...(JSON.parse(body) as { StartRequests: { EventId: string }[] }).StartRequests.map(({ EventId }) => EventId));
        return {};
      }
      return { headers: { date: 'Fri, 01 Jan 2027 00:00:10 GMT' }, text: JSON.stringify({ DocumentIncarnation: 1, Events: state.events.map((event) => ({ ResourceType: 'VirtualMachine', Resources: ['vm-1'], EventStatus: 'Scheduled', NotBefore: 'Fri, 01 Jan 2027 00:00:30 GMT', ...event })) }) };
    };
    return { state, reply };
  }
  const source = (server: MetadataServer): NoticeSource => makeAzureSource({ baseUrl: server.url, timeoutMs: 300, firstTimeoutMs: 3_000, pauseMs: 5 });

  it('tells of this machine’s events alone, and can approve those that name no other', async () => {
    const { state, reply } = scheduled([{ EventId: 'a', EventType: 'Preempt', Resources: ['vm-2'] }]);
    const azure = source(await serve(reply));
    expect(await azure.detect(signal)).toBe(true);
    expect(await azure.look(signal)).toEqual([]);
    state.events = [{ EventId: 'b', EventType: 'Preempt' }, { EventId: 'c', EventType: 'Freeze' }, { EventId: 'd', EventType: 'Terminate', EventStatus: 'Started', NotBefore: '' }, { EventId: 'f', EventType: 'Reboot', Resources: ['vm-2', 'vm-1'] }];
    const [preempt, freeze, terminate, reboot] = await azure.look(signal);
    expect(preempt).toMatchObject({ kind: 'notice', message: 'Azure: Preempt scheduled, not before Fri, 01 Jan 2027 00:00:30 GMT (b)', leftMs: 20_000 });
    expect(freeze).toMatchObject({ kind: 'hint' });
    expect(terminate).toMatchObject({ kind: 'notice', leftMs: null });
    expect(reboot).toMatchObject({ kind: 'notice' });
    expect(reboot, 'the event would proceed for vm-2 too').not.toHaveProperty('acknowledge');
    expect(state.started).toEqual([]);
    await (preempt as { acknowledge(): Promise<void> }).acknowledge();
    expect(state.started).toEqual(['b']);
  });

  it('is patient with the first answer, which switches it on, and takes no chances without a name', async () => {
    const { state, reply } = scheduled([{ EventId: 'e', EventType: 'Redeploy', Resources: ['vm-1'] }]);
    state.name = { status: 500 };
    let first = true;
    const server = await serve(async (asked) => {
      if (first && asked.path.startsWith('/metadata/scheduledevents')) {
        first = false;
        await new Promise((resolve) => setTimeout(resolve, 800));
      }
      return reply(asked);
    });
    const { told } = watch(source(server));
    await until('it is told', () => told.length > 0);
    expect(first).toBe(false);
    expect(told[0], 'perhaps it is another machine’s').not.toHaveProperty('acknowledge');
    const before = server.asked.length;
    await until('more looks', () => server.asked.length > before + 6);
    expect(told).toHaveLength(1);
  });
});

describe('which clouds are listened to', () => {
  it.each([
    ['AWS', makeAwsSource, ({ path }: Asked): Reply => (path.endsWith('instance-id') ? { text: 'i-0abc' } : path.endsWith('spot/instance-action') ? { text: '{"action":"hibernate"}' } : NOTHING)],
    ['GCP', makeGcpSource, ({ path }: Asked): Reply => ({ text: path.includes('preempted') ? 'TRUE' : '7', headers: { 'metadata-flavor': 'Google', etag: 'e' } })],
    ['Azure', makeAzureSource, ({ path }: Asked): Reply => ({ text: path.includes('compute/name') ? 'vm-1' : '{"Events":[{"EventId":"a","EventType":"Preempt","Resources":["vm-1"],"EventStatus":"Scheduled","NotBefore":""}]}' })],
  ] as const)('%s, though its service has nothing but 503 and 429 to say for a while', async (_, make, well) => {
    const bad: Reply[] = [...Array.from({ length: 6 }, (__, n) => ({ status: n % 2 ? 429 : 503 })), 'cut', { status: 503 }];
    const server = await serve((asked) => (asked.path === '/latest/api/token' ? NOTHING : bad.shift() ?? well(asked)));
    const { told } = watch(make({ baseUrl: server.url, pauseMs: 5 }), 'auto', { detectPauseMs: 5 });
    await until('the notice is told', () => told.length > 0);
    expect(bad, 'all of it struck').toEqual([]);
    expect(told).toMatchObject([{ kind: 'notice' }]);
  });

  it('and nobody else: an answer of another server is one', async () => {
    for (const make of [makeAwsSource, makeGcpSource, makeAzureSource]) {
      const server = await serve(() => NOTHING);
      const source = make({ baseUrl: server.url, pauseMs: 5 });
      const { notices, lines } = watch(source, 'auto', { detectPauseMs: 5 });
      await notices.firstLook(60_000);
      expect(server.asked.length).toBeLessThan(7);
      expect(lines).toEqual([[{ asked: [source.name] }, NOBODY]]);
    }
  });

  it('and says so once: who it is, or that nobody is', async () => {
    const google = await serve(({ path }) => ({ text: path.includes('preempted') ? 'FALSE' : '7', headers: { 'metadata-flavor': 'Google', etag: 'e' } }));
    const there = watch(makeGcpSource({ baseUrl: google.url, pauseMs: 5 }), 'auto');
    await until('it looks again', () => google.asked.filter(({ path }) => path.includes('preempted')).length > 2);
    expect(there.lines).toEqual([[{ source: 'gcp' }, 'listening for notices of this machine’s end']]);

    const lines: (readonly [object, string])[] = [];
    const log = { ...silent, info: (fields: object, message: string) => void lines.push([fields, message]) };
    const notices = watchNotices({ wanted: [], urls: { aws: '', gcp: '', azure: '' }, log, onAnnounced: () => undefined });
    await notices.firstLook(60_000);
    expect(lines).toEqual([[{ asked: [] }, NOBODY]]);

    const { lines: early, notices: closed } = watch(makeGcpSource({ baseUrl: 'http://127.0.0.1:9', pauseMs: 5 }), 'auto');
    closed.close();
    await closed.firstLook(60_000);
    expect(early, 'nothing was found out').toEqual([]);
  });

  it('those that are named, or those that answer', async () => {
    const urls = { aws: 'http://127.0.0.1:9', gcp: 'http://127.0.0.1:9', azure: 'http://127.0.0.1:9' };
    expect(sourcesOf({ wanted: ['azure', 'kubernetes'], urls }).map(({ name }) => name)).toEqual(['azure']);
    expect(sourcesOf({ wanted: [], urls })).toEqual([]);
    expect(sourcesOf({ wanted: 'auto', urls }).map(({ name }) => name)).toEqual(['aws', 'gcp', 'azure']);

    const google = await serve(({ path }) => ({ text: path.includes('preempted') ? 'TRUE' : '7', headers: { 'metadata-flavor': 'Google', etag: 'e' } }));
    const told: Announced[] = [];
    const notices = watchNotices({ wanted: 'auto', urls: { aws: google.url, gcp: google.url, azure: urls.azure }, log: silent, onAnnounced: (announced) => told.push(announced) });
    onTestFinished(() => notices.close());
    await until('GCP is heard', () => told.length > 0);
    expect(told).toMatchObject([{ message: 'GCP: the machine is preempted' }]);
    expect(google.asked.some(({ path }) => path.includes('spot/instance-action')), 'AWS was asked who it is, and no more').toBe(false);
  });
});
