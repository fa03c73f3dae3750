// What `pawl doctor` finds where something is wrong, and what it says to do about it: each look by itself, against real servers.
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { lookAtApi } from '../../../api/cli/diagnosis/address.js';
import type { Finding, Look } from '../../../api/cli/diagnosis/finding.js';
import { lookAtData, lookAtFolder, lookAtNode, readSettings } from '../../../api/cli/diagnosis/machine.js';
import { lookAtRedis } from '../../../api/cli/diagnosis/redis.js';
import { clockBy, lookAtClock, lookAtStore } from '../../../api/cli/diagnosis/store.js';
import { readConfig } from '../../../lib/config.js';
import { startApi } from '../../support/api.js';
import { type RedisServerOptions, startRedis } from '../../support/redis.js';
import { s3ServerAvailable, startS3Server } from '../../support/s3-server.js';
import { makeTempDir } from '../../support/temp.js';
import { withRedis } from '../queue/setup.js';

const hasS3 = await s3ServerAvailable();

type Environment = Record<string, string>;
const seen = async (look: Look, env: Environment): Promise<Finding[]> => look({ config: readConfig(env, '/tmp'), env });
const told = (findings: readonly Finding[]): string[] => findings.map(({ about, level, message, fix }) => `${level} ${about}: ${message}${fix === null ? '' : ` → ${fix}`}`);
const matching = (...patterns: RegExp[]): unknown[] => patterns.map((pattern) => expect.stringMatching(pattern) as unknown);

async function folder(): Promise<string> {
  const made = await makeTempDir('doctor');
  onTestFinished(() => made.remove());
  return made.path;
}

async function listen(answer: RequestListener): Promise<number> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

describe('the machine', () => {
  it.each(['18.20.4', '20.10.0', '22.1.0', '24.0.0'])('Node.js %s is not for Pawl', async (version) => {
    expect(told(await lookAtNode(version))).toEqual(matching(new RegExp(`^error node: this is Node\\.js ${version}: .* → install Node\\.js 22`)));
  });

  it('Node.js 20.19 and 22.14 are', async () => {
    expect(told([...(await lookAtNode('20.19.0')), ...(await lookAtNode('22.14.0'))])).toEqual(['ok node: Node.js 20.19.0', 'ok node: Node.js 22.14.0']);
  });

  it('settings that cannot be used are named one by one', () => {
    expect(told(readSettings({ PAWL_PORT: 'x', PAWL_ENGINE: 'fast', PAWL_API_TOKEN: 'short' }, '/tmp').findings)).toEqual(
      matching(/^error settings: PAWL_PORT must be a port number from 0 to 65535 → correct PAWL_PORT/, /^error settings: PAWL_ENGINE must be .* → correct PAWL_ENGINE/, /^error settings: PAWL_API_TOKEN every token .* → export PAWL_API_TOKEN=\$\(openssl rand -hex 32\)/),
    );
    expect(told(readSettings({ PAWL_HOST: '0.0.0.0' }, '/tmp').findings)).toEqual(matching(/^error settings: PAWL_HOST is 0\.0\.0\.0, which others can reach.* → export PAWL_API_TOKEN=/));
    expect(readSettings({}, '/tmp')).toMatchObject({ config: { port: 8787 }, wrong: [], findings: [] });
  });

  it('a data folder that cannot be written', async () => {
    const place = await folder();
    await writeFile(join(place, 'file'), '');
    expect(told(await seen(lookAtFolder, { PAWL_DATA_DIR: join(place, 'file', 'data') }))).toEqual(matching(/^error folder: .*file\/data cannot be written: ENOTDIR.* → .*PAWL_DATA_DIR/));
    expect(told(await seen(lookAtFolder, { PAWL_DATA_DIR: join(place, 'data') }))).toEqual(matching(/^(ok|warning) folder: .*data (can be written|has .* left)/));
  });

  it('data roots that are not there', async () => {
    const place = await folder();
    await writeFile(join(place, 'file'), '');
    const roots = [place, join(place, 'none'), join(place, 'file')];
    expect(told(await seen(lookAtData, { PAWL_DATA_ROOTS: roots.join(':') }))).toEqual([
      `error data: PAWL_DATA_ROOTS names ${roots[1]}, which does not exist → mkdir -p ${roots[1]}, make it readable, or take it out of PAWL_DATA_ROOTS`,
      `error data: PAWL_DATA_ROOTS names ${roots[2]}, which is no folder → mkdir -p ${roots[2]}, make it readable, or take it out of PAWL_DATA_ROOTS`,
    ]);
    expect(told(await seen(lookAtData, { PAWL_DATA_ROOTS: place }))).toEqual([`ok data: paths are looked for in ${place}`]);
  });
});

describe('Redis', () => {
  const redis = async (options: RedisServerOptions = {}) => {
    const server = await startRedis(options);
    onTestFinished(() => server.stop());
    return server;
  };

  it('that is not there', async () => {
    expect(told(await seen(lookAtRedis, { REDIS_URL: 'redis://127.0.0.1:1' }))).toEqual(matching(/^error redis: not connected to redis:\/\/127\.0\.0\.1:1 \(connect ECONNREFUSED 127\.0\.0\.1:1\) → start Redis there, or correct REDIS_URL; without REDIS_URL `pawl up`/));
    expect(told(await seen(lookAtRedis, { REDIS_URL: 'redis://nowhere.invalid' }))).toEqual(matching(/^error redis: not connected to redis:\/\/nowhere\.invalid .*(ENOTFOUND|EAI_AGAIN).* → correct the host in REDIS_URL$/));
    expect(told(await seen(lookAtRedis, { PATH: '/nowhere', HOME: '/nowhere' }))).toEqual(matching(/^error redis: REDIS_URL is not set, and there is no redis-server .* → `npm run setup` installs one/));
  });

  it('that wants a password, or is something else', async () => {
    const { port } = await redis({ args: ['--requirepass', 'secret'] });
    for (const url of [`redis://127.0.0.1:${port}`, `redis://:wrong@127.0.0.1:${port}`]) {
      const findings = told(await seen(lookAtRedis, { REDIS_URL: url }));
      expect(findings).toEqual(matching(/^error redis: .*(NOAUTH|WRONGPASS|invalid password).* → put its password into REDIS_URL/));
      expect(findings.join()).not.toContain('wrong@');
    }
    expect(told(await seen(lookAtRedis, { REDIS_URL: `redis://:secret@127.0.0.1:${port}` }))).toEqual(matching(/^ok redis: (redis|valkey) [\d.]+ at redis:\/\/127\.0\.0\.1:\d+, /));
    const other = await listen((_, response) => response.end('hello'));
    expect(told(await seen(lookAtRedis, { REDIS_URL: `redis://127.0.0.1:${other}` }))).toEqual(matching(/^error redis: .* → something else than this kind of Redis answers there/));
  });

  it('whose user may not ask INFO', async () => {
    const { url, port } = await redis();
    await withRedis(url, (admin) => admin.call('ACL', 'SETUSER', 'plain', 'on', '>secret', '~*', '&*', '+@all', '-@dangerous'));
    expect(told(await seen(lookAtRedis, { REDIS_URL: `redis://plain:secret@127.0.0.1:${port}` }))).toEqual(matching(/^warning redis: it answers, but does not say .*NOPERM.* → let the user of REDIS_URL use INFO/));
  });

  it('that forgets or evicts', async () => {
    const { url } = await redis({ appendonly: false, args: ['--maxmemory-policy', 'allkeys-lru'] });
    expect(told(await seen(lookAtRedis, { REDIS_URL: url }))).toEqual(
      matching(/^ok redis: /, /^error redis: maxmemory-policy is allkeys-lru.* → redis-cli CONFIG SET maxmemory-policy noeviction/, /^warning redis: appendonly is off.* → redis-cli CONFIG SET appendonly yes/),
    );
  });
});

describe('the store', () => {
  it('in a folder that cannot be', async () => {
    const place = await folder();
    await writeFile(join(place, 'file'), '');
    const store = `file:${join(place, 'file', 'store')}`;
    expect(told(await seen(lookAtStore, { PAWL_STORE: store }))).toEqual(matching(/^error store: .*file\/store.*ENOTDIR → make it a folder that this user may write, or choose another with PAWL_STORE=/));
  });

  it.runIf(hasS3)('on S3, with what may be wrong there', async () => {
    const server = await startS3Server();
    onTestFinished(() => server.stop());
    const env = { PAWL_STORE: `s3://${server.bucket}/prefix`, S3_ENDPOINT: server.endpoint, AWS_REGION: server.region, AWS_ACCESS_KEY_ID: server.accessKey, AWS_SECRET_ACCESS_KEY: server.secretKey };
    expect(told(await seen(lookAtStore, env))).toEqual(matching(/^ok store: s3:\/\/pawl\/prefix keeps its promises/));
    expect(told(await seen(lookAtClock, env))).toEqual([`ok clock: as the clock of ${server.endpoint}`]);
    const secrets = [server.secretKey, 'not-the-secret'];
    const wrong: [change: Environment, expected: RegExp][] = [
      [{ AWS_SECRET_ACCESS_KEY: 'not-the-secret' }, /^error store: s3:\/\/pawl\/prefix: .*SignatureDoesNotMatch.* → the server does not know these credentials/],
      [{ AWS_ACCESS_KEY_ID: 'nobody' }, /^error store: .*(InvalidAccessKeyId|UserNotFound).* → the server does not know these credentials/],
      [{ PAWL_STORE: 's3://no-such-bucket/prefix' }, /^error store: s3:\/\/no-such-bucket\/prefix: .*NoSuchBucket.* → make the bucket/],
      [{ S3_ENDPOINT: 'http://127.0.0.1:1' }, /^error store: .*ECONNREFUSED.* → no server answers: start it, or correct S3_ENDPOINT/],
    ];
    for (const [change, expected] of wrong) {
      const findings = told(await seen(lookAtStore, { ...env, ...change }));
      expect(findings).toEqual(matching(expected));
      for (const secret of secrets) expect(findings.join()).not.toContain(secret);
    }
    await mkdir(join(server.dataDir, 'flowers'));
    expect(told(await seen(lookAtData, { ...env, PAWL_DATA_ROOTS: '/tmp', PAWL_DATA_BUCKETS: 'flowers,no-such-bucket' }))).toEqual(
      matching(/^ok data: paths/, /^ok data: the bucket flowers can be read$/, /^error data: the bucket no-such-bucket: there is no such bucket .* → make the bucket, or take it out of PAWL_DATA_BUCKETS$/),
    );
    expect(told(await seen(lookAtData, { ...env, AWS_SECRET_ACCESS_KEY: 'not-the-secret', PAWL_DATA_BUCKETS: 'flowers' }))[1]).toMatch(/^warning data: the bucket flowers: access to it is denied .* → let AWS_ACCESS_KEY_ID read it/);
  }, 120_000);

  it('on S3, without the right to write', async () => {
    const port = await listen((_, response) => response.writeHead(403, { 'content-type': 'application/xml' }).end('<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>no</Message></Error>'));
    const env = { PAWL_STORE: 's3://pawl/prefix', S3_ENDPOINT: `http://127.0.0.1:${port}`, AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'somebody', AWS_SECRET_ACCESS_KEY: 'something' };
    expect(told(await seen(lookAtStore, env))).toEqual(matching(/^error store: .*AccessDenied.* → let these credentials do .*s3:AbortMultipartUpload and s3:ListBucket under the prefix$/));
  });

  it.each<[number, RegExp]>([
    [0, /^ok clock: as the clock of/],
    [90, /^warning clock: this machine's clock is (89|90|91) s ahead of that of http:.* → set the clock: `timedatectl/],
    [-90, /^warning clock: this machine's clock is (89|90|91) s behind that of/],
    [1_000, /^error clock: this machine's clock is (999|1000|1001) s ahead of that of .*; S3 refuses requests from 900 s on → /],
  ])('with a clock %i s away', async (seconds, expected) => {
    const port = await listen((_, response) => response.setHeader('date', new Date(Date.now() - seconds * 1_000).toUTCString()).end());
    expect(told(await clockBy(`http://127.0.0.1:${port}`))).toEqual(matching(expected));
  });

  it('says nothing of a clock that nobody tells', async () => {
    expect(await clockBy('http://127.0.0.1:1')).toEqual([]);
    expect(await seen(lookAtClock, {})).toEqual([]);
  });
});

describe('the API', () => {
  it('that is up, with the right token, a wrong one or none', async () => {
    const token = 'a-token-of-thirty-two-characters';
    const url = await (await startApi({ tokens: [token] })).listen();
    expect(told(await seen(lookAtApi, { PAWL_URL: url, PAWL_API_TOKEN: token }))).toEqual(matching(new RegExp(`^ok api: Pawl is up at ${url}, with Redis away$`)));
    expect(told(await seen(lookAtApi, { PAWL_URL: url }))).toEqual([`error api: Pawl is up at ${url}, and asks for a token → set PAWL_API_TOKEN to what it was started with`]);
    expect(told(await seen(lookAtApi, { PAWL_URL: url, PAWL_API_TOKEN: token.toUpperCase() }))).toEqual(matching(/^error api: .* does not know the token of PAWL_API_TOKEN → /));
  });

  it('that is not where PAWL_URL says', async () => {
    expect(told(await seen(lookAtApi, { PAWL_URL: 'http://127.0.0.1:9' }))).toEqual(matching(/^error api: http:\/\/127\.0\.0\.1:9 does not answer: .* → `pawl up` or `pawl api` starts it; PAWL_URL says where it is$/));
    const port = await listen((_, response) => response.setHeader('content-type', 'text/html').end('<p>hello'));
    expect(told(await seen(lookAtApi, { PAWL_URL: `http://127.0.0.1:${port}` }))).toEqual(matching(/^error api: something that is not Pawl answers at .* → correct PAWL_URL$/));
    expect(told(await seen(lookAtApi, { PAWL_PORT: String(port) }))).toEqual(matching(/^error api: something that is not Pawl answers at .* → choose another port with PAWL_PORT \(`pawl up --port PORT`\)/));
  });

  it('whose port is free, or may not be used', async () => {
    expect(told(await seen(lookAtApi, { PAWL_PORT: '0' }))).toEqual(matching(/^ok api: nothing listens at port 0/));
    expect(told(await seen(lookAtApi, { PAWL_HOST: '203.0.113.1', PAWL_API_TOKEN: 'x'.repeat(32), PAWL_PORT: '8790' }))).toEqual(matching(/^error api: nothing can listen at port 8790 of 203\.0\.113\.1 \(EADDRNOTAVAIL\) → correct PAWL_HOST/));
  });
});
