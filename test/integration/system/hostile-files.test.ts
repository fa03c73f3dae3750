// Files made to harm, named by a spec: what the API can look at is a 4xx that names the field, what only a worker can see ends
// the job by name. Neither process grows, hangs or dies of it, and both serve the next one.
import { execFileSync } from 'node:child_process';
import { mkdir, open, readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { deflateRawSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeSafetensors } from '../../../lib/checkpoints/safetensors.js';
import type { Head } from '../../../lib/contract/records.js';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import type { HostTensor } from '../../../lib/training/state.js';
import { type Proc, startTestSystem, type TestSystem } from '../../support/system.js';
import { makeTempDir, type TempDir } from '../../support/temp.js';
import { idxOf } from '../../unit/data/idx-files.js';
import { npyOf, zipOf } from '../../unit/data/npz-files.js';
import { fileOf, member } from '../../unit/safetensors/files.js';
import { HOSTILE } from '../../unit/safetensors/hostile-files.js';

const MIB = 2 ** 20;
/** No answer may take longer, and none may keep another waiting for longer. */
const PATIENCE_MS = 3_000;
/** Of one process, over what it had when it had done everything once. */
const GROWTH_MIB = 160;

const f32 = (...shape: number[]): HostTensor => ({ dtype: 'F32', shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) });
const weights = (changes: Record<string, HostTensor> = {}): Buffer => encodeSafetensors(new Map(Object.entries({ 'dense_1/kernel': f32(64, 10), 'dense_1/bias': f32(10), ...changes })));

/** First weights that are a file, and not the model's → what of them is said. */
const OTHERS: [string, Buffer, RegExp][] = [
  ['another type', encodeSafetensors(new Map([['dense_1/kernel', f32(64, 10)], ['dense_1/bias', { dtype: 'I32', shape: [10], data: new Int32Array(10) }]])), /"dense_1\/bias" is I32, but has to be F32/],
  ['half precision', fileOf(`{"dense_1/kernel":${member('BF16', [64, 10], 0, 1280)},"dense_1/bias":${member('F32', [10], 1280, 1320)}}`, Buffer.alloc(1320)), /"dense_1\/kernel" is BF16/],
  ['another shape', weights({ 'dense_1/kernel': f32(10, 64) }), /"dense_1\/kernel" has shape \[10, 64\]/],
  ['a tensor too few', encodeSafetensors(new Map([['dense_1/kernel', f32(64, 10)]])), /"dense_1\/bias" .*is missing/],
  ['a tensor too many', weights({ 'dense_2/bias': f32(1) }), /"dense_2\/bias" does not belong/],
  ['a shape of two million sizes', fileOf(`{"dense_1/bias":${member('U8', [], 0, 1).replace('[]', `[${'1,'.repeat(1_900_000)}1]`)}}`, Buffer.alloc(1)), /"dense_1\/bias" is U8/],
  ['a shape of a million sizes, of the right type', fileOf(`{"dense_1/bias":${member('F32', [], 0, 4).replace('[]', `[${'1,'.repeat(1_000_000)}1]`)}}`, Buffer.alloc(4)), /"dense_1\/bias" has shape \[1, 1, 1, 1, 1, 1, 1, 1, …\]/],
  ['a name of four million characters', fileOf(`{"${'n'.repeat(4_000_000)}":${member('U8', [1], 0, 1)}}`, Buffer.alloc(1)), /"n{200}…" does not belong/],
  ['sixty thousand tensors', fileOf(`{${Array.from({ length: 60_000 }, (_, i) => `"${i}":${member('U8', [0], 0, 0)}`).join(',')}}`), /"\d+" does not belong/],
];
/** What the format allows and no model needs. */
const HUGE: [string, () => Buffer][] = [
  ['a header of spaces', () => fileOf(`{${' '.repeat(99_000_000)}}`)],
  ['a header of a million and a half tensors', () => fileOf(`{${Array.from({ length: 1_500_000 }, (_, i) => `"t${i}":${member('U8', [0], 0, 0)}`).join(',')}}`)],
  ['a shape of forty million sizes', () => fileOf(`{"a":{"dtype":"U8","shape":[${'1,'.repeat(40_000_000)}1],"data_offsets":[0,1]}}`, Buffer.alloc(1))],
];

let system: TestSystem;
let roots: TempDir;
let api: Proc & { url: string };
let worker: Proc;

beforeAll(async () => {
  roots = await makeTempDir('hostile');
  system = await startTestSystem({ env: { PAWL_DATA_ROOTS: `${roots.path}:/proc` } });
  await system.startController();
  api = await system.startApi();
  worker = await system.startWorker();
});
afterAll(async () => {
  await system.stop();
  await roots.remove();
});

const put = (name: string, bytes: Uint8Array): Promise<void> => writeFile(join(roots.path, name), bytes);
const digits = (from: string): JobSpecInput => ({
  data: { type: 'builtin', name: 'digits', normalize: 'unit' },
  model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 10, activation: 'softmax' }], init: { from } },
  training: { batch_size: 16, max_updates: 2 },
  run: { max_failures: 0 },
});

interface Answer {
  status: number;
  ms: number;
  bytes: number;
  error: { code: string; param: string | null; message: string; details: { param: string; message: string }[] } | undefined;
}
async function ask(spec: object): Promise<Answer> {
  const began = performance.now();
  const answer = await fetch(`${api.url}/v1/jobs?dry_run=true`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(spec) });
  const text = await answer.text();
  return { status: answer.status, ms: performance.now() - began, bytes: text.length, error: (JSON.parse(text) as { error?: Answer['error'] }).error };
}
/** Past the API, as if the file had come there after it looked. */
const run = async (spec: JobSpecInput): Promise<Head> => system.terminal(await system.submit(spec));
const peakMib = async ({ pid }: Proc): Promise<number> => Number(/VmHWM:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;

/** Nobody was hurt: the next request is answered at once, and a good job succeeds. */
async function expectHealthy(): Promise<void> {
  expect([api.isAlive(), worker.isAlive()]).toEqual([true, true]);
  await put('good.safetensors', weights());
  expect(await ask(digits('good.safetensors'))).toMatchObject({ status: 200 });
  const head = await run(digits('good.safetensors'));
  expect(head.state, head.message ?? '').toBe('succeeded');
}

describe('first weights', () => {
  test('that are no such file, or another model’s, are refused by the API in few words', async () => {
    await expectHealthy();
    const before = await peakMib(api);
    for (const [what, bytes, message] of HOSTILE) {
      await put('hostile.safetensors', bytes);
      const answer = await ask(digits('hostile.safetensors'));
      expect([what, answer.status, answer.error?.code, answer.error?.param]).toEqual([what, 400, 'invalid_data', 'model.init.from']);
      expect(answer.error!.message, what).toContain(message);
    }
    for (const [what, bytes, message] of OTHERS) {
      await put('other.safetensors', bytes);
      const answer = await ask(digits('other.safetensors'));
      expect([what, answer.status, answer.error?.code, answer.error?.param]).toEqual([what, 400, 'invalid_spec', 'model.init.from']);
      expect(answer.error!.details.map((problem) => problem.message).join('\n'), what).toMatch(message);
      expect([what, answer.bytes < 100_000, answer.ms < PATIENCE_MS]).toEqual([what, true, true]);
    }
    for (const [what, make] of HUGE) {
      await put('huge.safetensors', make());
      const answers = await Promise.all(Array.from({ length: 4 }, () => ask(digits('huge.safetensors'))));
      for (const answer of answers) {
        expect([what, answer.status, answer.error?.code, answer.error?.param]).toEqual([what, 400, 'invalid_data', 'model.init.from']);
        expect(answer.error!.message, what).toMatch(/the header has \d+ bytes, more than the 4194304 that are read/);
        expect([what, answer.ms < PATIENCE_MS]).toEqual([what, true]);
      }
    }
    expect((await peakMib(api)) - before).toBeLessThan(GROWTH_MIB);
    await expectHealthy();
  });

  test('that are no such file, or another model’s, end the job of a worker that meets them', async () => {
    await expectHealthy();
    const before = await peakMib(worker);
    const some = HOSTILE.filter((_, index) => index % 9 === 0);
    const cases = [...some.map(([what, bytes, message]) => [what, () => bytes, message] as const), ...OTHERS.map(([what, bytes, message]) => [what, () => bytes, message] as const), ...HUGE.map(([what, make]) => [what, make, 'more than the 4194304 that are read'] as const)];
    for (const [what, make, message] of cases) {
      await put('hostile.safetensors', make());
      const head = await run(digits('hostile.safetensors'));
      expect([what, head.state, head.reason, head.error?.code, head.error?.param]).toEqual([what, 'failed', 'invalid_data', 'invalid_data', 'model.init.from']);
      if (typeof message === 'string') expect(head.error!.message, what).toContain(message);
      else expect(head.error!.message, what).toMatch(message);
      expect([what, head.error!.message.length < 50_000]).toEqual([what, true]);
    }
    expect((await peakMib(worker)) - before).toBeLessThan(GROWTH_MIB);
    await expectHealthy();
  });

  test('of a terabyte are refused by their header: nobody reads it', async () => {
    const count = 2 ** 38;
    const head = fileOf(`{"dense_1/kernel":${member('F32', [count], 0, 4 * count)}}`);
    const file = await open(join(roots.path, 'vast.safetensors'), 'w');
    await file.write(head);
    await file.truncate(head.length + 4 * count);
    await file.close();
    expect(await ask(digits('vast.safetensors'))).toMatchObject({ status: 400, error: { param: 'model.init.from', message: expect.stringContaining('has shape [274877906944]') as string } });
    // the API does not see this data, so it does not know the model
    const unseen: JobSpecInput = { ...digits('vast.safetensors'), data: { type: 'npz', path: 'not-here.npz' } };
    expect(await ask(unseen)).toMatchObject({ status: 200 });
    const began = performance.now();
    expect(await run(digits('vast.safetensors'))).toMatchObject({ state: 'failed', error: { code: 'invalid_data', param: 'model.init.from' } });
    expect(performance.now() - began).toBeLessThan(20_000);
  });
});

describe('a location that leads to no file of data', () => {
  test('is refused by the API, and by a worker that meets it, without being opened', async () => {
    const at = (name: string): string => join(roots.path, name);
    execFileSync('mkfifo', [at('pipe'), at('pipe.npz')]);
    await mkdir(at('folder'));
    await symlink('/etc/passwd', at('outside'));
    await symlink('/etc', at('folder-outside'));
    await symlink('/proc/self/environ', at('environ'));
    await symlink('/dev/zero', at('zeros'));
    await symlink('loop', at('loop'));
    await symlink('pipe', at('to-pipe'));
    const socket = createServer().listen(at('socket'));
    /** No such spec reaches a worker. */
    const UNRESOLVED = ['', `${'d/'.repeat(3_000)}x`];
    const LOCATIONS: [string, RegExp][] = [
      ['pipe', /is not a file/], ['to-pipe', /is not a file/], ['folder', /is not a file/], ['socket', /is not a file/], ['zeros', /is not a file/],
      ['outside', /leads outside/], ['folder-outside/passwd', /leads outside/], ['loop', /ELOOP/],
      ['/proc/self/environ', /is absolute/], ['file:///proc/self/environ', /is absolute/], ['file:/etc/passwd', /is absolute/], ['../etc/passwd', /goes up/], ['folder/../../etc/passwd', /goes up/], ['file:../x', /goes up/],
      ['x'.repeat(300), /ENAMETOOLONG/],
      ['.pawl/store/x', /\.pawl/], ['folder/.PAWL/x', /\.pawl/], ['a\\b', /backslash/],
      ...UNRESOLVED.map((location): [string, RegExp] => [location, /must be a path relative to one of the data roots/]),
    ];
    for (const [location, message] of LOCATIONS) {
      for (const [param, spec] of [['model.init.from', digits(location)], ['data.path', { ...digits('good.safetensors'), data: { type: 'npz', path: location } }]] as const) {
        const answer = await ask(spec);
        expect([location.slice(0, 60), answer.status, answer.error?.param]).toEqual([location.slice(0, 60), 400, param]);
        expect(answer.error!.message).toMatch(message);
        expect(JSON.stringify(answer)).not.toMatch(/root:|AWS_|REDIS_URL/);
        expect(answer.ms).toBeLessThan(PATIENCE_MS);
      }
      if (UNRESOLVED.includes(location)) continue;
      const head = await run(digits(location));
      expect([location.slice(0, 60), head.state, head.reason, head.error?.code, head.error?.param]).toEqual([location.slice(0, 60), 'failed', 'max_failures', 'invalid_location', 'model.init.from']);
    }
    socket.close();
    await expectHealthy();
  });

  test('gives nothing away where the system’s own folder is a data root', async () => {
    for (const location of ['self/environ', 'self/maps', 'self/mem', 'kmsg', 'kcore', 'self/pagemap', 'self/fd/0', 'sys/kernel/random/uuid', 'self/root/etc/passwd', 'self/cwd/x']) {
      const answer = await ask(digits(location));
      expect([location, answer.status === 400 || answer.status === 200, answer.ms < PATIENCE_MS]).toEqual([location, true, true]);
      if (answer.status === 400) expect([location, answer.error!.param]).toEqual([location, 'model.init.from']);
      expect(JSON.stringify(answer)).not.toMatch(/root:|REDIS_URL|PAWL_/);
      const head = await run(digits(location));
      expect([location, head.state, ['invalid_data', 'data_missing', 'invalid_location', 'data_changed'].includes(head.error!.code)]).toEqual([location, 'failed', true]);
    }
    await expectHealthy();
  });
});

describe('data whose samples are wrong where the API does not look', () => {
  const layers: JobSpecInput['model']['layers'] = [{ type: 'flatten' }, { type: 'dense', units: 3, activation: 'softmax' }];
  const spec = (data: object): JobSpecInput => ({ data: { normalize: 'unit', ...data }, model: { layers }, training: { batch_size: 2, max_updates: 2 }, run: { max_failures: 0 } }) as JobSpecInput;
  const [samples, side] = [9, 1024];
  const pixels = Buffer.from(Uint8Array.from({ length: samples * side * side }, (_, i) => (Math.imul(i, 0x9e3779b1) >>> 24) & 15));
  const x = npyOf({ descr: '|u1', shape: [samples, side, side], data: pixels });
  const y = npyOf({ descr: '|u1', shape: [samples], data: Uint8Array.from({ length: samples }, (_, i) => i % 3) });
  const npz = (lies: object): Buffer => zipOf([{ name: 'x.npy', data: x, ...lies }, { name: 'y.npy', data: y }]);
  const damagedStored = npz({});
  damagedStored[5_000_000]! ^= 1;
  const images = idxOf({ shape: [samples, side, side], data: pixels });
  const labels = idxOf({ shape: [samples], data: Uint8Array.from({ length: samples }, (_, i) => i % 3) });
  const inGzip = gzipSync(images);
  const flipped = Buffer.from(inGzip);
  flipped[flipped.length - 6]! ^= 1; // in its checksum

  const NPZ: [string, Buffer, RegExp][] = [
    ['a wrong checksum', npz({ crc: 1 }), /array "x": its checksum is wrong/],
    ['a wrong checksum, compressed', npz({ crc: 1, deflate: true }), /array "x": its checksum is wrong/],
    ['a flipped bit', damagedStored, /array "x": its checksum is wrong/],
    ['compressed data that stops', npz({ deflate: true, packed: deflateRawSync(x).subarray(0, 2_000) }), /array "x": /],
    ['compressed data of less than it claims', npz({ deflate: true, packed: deflateRawSync(x.subarray(0, -1_000_000)) }), /array "x": it holds \d+ bytes and claims/],
    ['a bomb', npz({ deflate: true, packed: deflateRawSync(Buffer.concat([x, Buffer.alloc(300 * MIB)])) }), /array "x": it holds more than/],
  ];
  const GZIP: [string, Buffer, RegExp][] = [
    ['a wrong checksum', flipped, /gzip data is damaged/],
    ['gzip data that stops', inGzip.subarray(0, -2_000), /gzip data ends too early|gzip data is damaged/],
    ['bytes after the gzip data', Buffer.concat([inGzip, Buffer.alloc(1_000_000, 1)]), /bytes follow its gzip data|gzip data is damaged/],
    ['gzip data of more than it claims', gzipSync(Buffer.concat([images, Buffer.alloc(300 * MIB)])), /and it holds more/],
    ['gzip data of less than it claims', gzipSync(images.subarray(0, -1_000)), /and it holds \d+/],
  ];

  test.each([1024, 1])('ends the job by name, with %s MiB for samples', async (memoryMib) => {
    worker.kill('SIGTERM');
    await worker.exited;
    system.env['PAWL_DATA_MEMORY_MIB'] = String(memoryMib);
    worker = await system.startWorker();
    const dataOf = async (kind: 'npz' | 'idx', bytes: Buffer): Promise<object> => {
      await put(`samples.${kind}`, bytes);
      return kind === 'npz' ? { type: 'npz', path: 'samples.npz' } : { type: 'idx', images: 'samples.idx', labels: 'labels' };
    };
    await put('labels', labels);
    const peaks: number[] = [];
    const tried = async (data: object): Promise<Head> => {
      const job = await system.submit(spec(data));
      const head = await system.terminal(job);
      peaks.push((await system.attempts(job)).at(-1)!.end!.peak_memory_mib ?? 0);
      return head;
    };
    await put('good.npz', npz({}));
    const good = await tried({ type: 'npz', path: 'good.npz' });
    expect(good.state, good.message ?? '').toBe('succeeded');
    for (const [kind, param, cases] of [['npz', 'data.path', NPZ], ['idx', 'data.images', GZIP]] as const) {
      for (const [what, bytes, message] of cases) {
        const data = await dataOf(kind, bytes);
        const seen = await ask(spec(data));
        expect([what, seen.status === 200 || (seen.status === 400 && seen.error!.param === param)], JSON.stringify(seen)).toEqual([what, true]);
        const head = await tried(data);
        expect([what, head.state, head.reason, head.error?.code, head.error?.param]).toEqual([what, 'failed', 'invalid_data', 'invalid_data', param]);
        expect(head.error!.message, what).toMatch(message);
      }
    }
    expect((await tried({ type: 'npz', path: 'good.npz' })).state).toBe('succeeded');
    expect(Math.max(...peaks) - peaks[0]!, 'of a trainer').toBeLessThan(GROWTH_MIB);
  });

  test('is refused by the API where its directory would fill its memory', async () => {
    const before = await peakMib(api);
    const endless = zipOf(Array.from({ length: 2_000 }, (_, i) => ({ name: `${'n'.repeat(60_000)}${i}`, data: Buffer.alloc(0) })));
    await put('endless.npz', endless);
    const answer = await ask(spec({ type: 'npz', path: 'endless.npz' }));
    expect(answer).toMatchObject({ status: 400, error: { code: 'invalid_data', param: 'data.path', message: expect.stringContaining('names and comments of more than 2097152 bytes') as string } });
    expect((await peakMib(api)) - before).toBeLessThan(GROWTH_MIB);
  });
});
