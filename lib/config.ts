// The environment as one schema, read once by main.ts files: every variable, its default, and all problems at once.
import { resolve } from 'node:path';
import { AppError, type Problem } from './errors.js';

export interface S3Settings {
  endpoint: string | null;
  region: string;
  accessKeyId: string | null;
  secretAccessKey: string | null;
  sessionToken: string | null;
}

export const NOTICE_NAMES = ['aws', 'gcp', 'azure', 'kubernetes'] as const;
export type NoticeName = (typeof NOTICE_NAMES)[number];

export interface Config {
  /** Null: whoever starts the system finds or starts one. */
  redisUrl: string | null;
  queuePrefix: string;
  /** `file:<dir>` or `s3://bucket/prefix`. */
  store: string;
  s3: S3Settings;
  /** Real folders in which data may lie. */
  dataRoots: string[];
  /** Buckets in which data may lie, on the store's S3 server. */
  dataBuckets: string[];
  /** What the data of one job may take of memory; the rest is read from its files. Null: a share of the machine's. */
  dataMemoryBytes: number | null;
  /** Where `up` keeps its store and Redis, workers their spool. */
  dataDir: string;
  url: string;
  host: string;
  port: number;
  engine: 'auto' | 'tensorflow' | 'wasm';
  /** Whose notices of this machine's end a worker listens to. */
  notices: 'auto' | NoticeName[];
  /** What a worker's jobs have to be saved in after a signal that tells it to go. */
  signalGraceMs: number;
  /** Where the metadata services are. */
  metadataUrls: { aws: string; gcp: string; azure: string };
  /** Several while one is being replaced. Empty: no token is asked for, and only loopback may be bound. */
  apiTokens: string[];
  corsOrigins: string[];
  /** Jobs that are not over; more are refused, and not started by schedules and sweeps. */
  maxOpenJobs: number;
  /** Requests a minute that one client, by token or else address, may make. Null: any number. */
  rateLimit: number | null;
  logLevel: string;
}

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);
export const isLoopback = (host: string): boolean => LOOPBACK.has(host) || host.startsWith('127.');
const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];
const isHttpAddress = (text: string): boolean => /^https?:\/\/[^\s]+$/.test(text) && URL.canParse(text);
const TOKEN_MIN_LENGTH = 32;
const MAX_OPEN_JOBS = 100_000;
/** With what a worker needs to end, Kubernetes' default of 30; and more than most clouds give. */
const SIGNAL_GRACE_SECONDS = 25;
/** A day. */
const SIGNAL_GRACE_MAX_SECONDS = 86_400;
/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

const list = (value: string | undefined, separator: string): string[] => (value ?? '').split(separator).map((part) => part.trim()).filter((part) => part !== '');

/**
 * @param env as `process.env`
 * @param cwd what relative paths are relative to, and the default data root
 * @throws AppError invalid_request listing every variable that cannot be used
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>, cwd: string): Config {
  const problems: Problem[] = [];
  const bad = (param: string, message: string): void => void problems.push({ param, message });
  const text = (name: string): string | null => (env[name] === undefined || env[name] === '' ? null : env[name]);

  const dataDir = resolve(cwd, text('PAWL_DATA_DIR') ?? '.pawl');
  const redisUrl = text('REDIS_URL');
  const badRedisUrl = redisUrl === null ? null : wrongRedisUrl(redisUrl);
  if (badRedisUrl !== null) bad('REDIS_URL', badRedisUrl);
  const store = text('PAWL_STORE') ?? `file:${resolve(dataDir, 'store')}`;
  if (!/^(file:.+|s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/.*)?)$/.test(store)) bad('PAWL_STORE', 'must be file:<folder> or s3://bucket/prefix');
  const port = Number(text('PAWL_PORT') ?? '8787');
  if (!Number.isInteger(port) || port < 0 || port > 65535) bad('PAWL_PORT', 'must be a port number from 0 to 65535');
  const dataMemoryMib = text('PAWL_DATA_MEMORY_MIB');
  if (dataMemoryMib !== null && !(Number.isInteger(Number(dataMemoryMib)) && Number(dataMemoryMib) >= 1)) bad('PAWL_DATA_MEMORY_MIB', `must be a positive whole number of MiB, not ${JSON.stringify(dataMemoryMib)}`);
  const positive = (name: string): number | null => {
    const given = text(name);
    if (given !== null && !/^[1-9]\d{0,8}$/.test(given)) bad(name, `must be a positive whole number, not ${JSON.stringify(given)}`);
    return given === null ? null : Number(given);
  };
  const maxOpenJobs = positive('PAWL_MAX_OPEN_JOBS') ?? MAX_OPEN_JOBS;
  const rateLimit = positive('PAWL_RATE_LIMIT');
  positive('PAWL_UNSAVED_SECONDS'); // read by trainers
  const signalGraceSeconds = positive('PAWL_SIGNAL_GRACE_SECONDS') ?? SIGNAL_GRACE_SECONDS;
  if (signalGraceSeconds > SIGNAL_GRACE_MAX_SECONDS) bad('PAWL_SIGNAL_GRACE_SECONDS', `must be at most ${SIGNAL_GRACE_MAX_SECONDS}`);
  const host = text('PAWL_HOST') ?? '127.0.0.1';
  const url = text('PAWL_URL') ?? `http://127.0.0.1:${port}`;
  if (!isHttpAddress(url)) bad('PAWL_URL', 'must be an http or https address');
  const engine = text('PAWL_ENGINE') ?? 'auto';
  if (engine !== 'auto' && engine !== 'tensorflow' && engine !== 'wasm') bad('PAWL_ENGINE', `must be auto, tensorflow or wasm, not ${JSON.stringify(engine)}`);
  const apiTokens = list(env['PAWL_API_TOKEN'], ',');
  if (apiTokens.some((token) => token.length < TOKEN_MIN_LENGTH)) bad('PAWL_API_TOKEN', `every token must have at least ${TOKEN_MIN_LENGTH} characters`);
  const dataBuckets = list(env['PAWL_DATA_BUCKETS'], ',');
  if (dataBuckets.some((name) => !BUCKET.test(name))) bad('PAWL_DATA_BUCKETS', 'must be names of buckets, separated by commas');
  const queuePrefix = text('PAWL_QUEUE_PREFIX') ?? 'pawl';
  const badPrefix = wrongPrefix(queuePrefix);
  if (badPrefix !== null) bad('PAWL_QUEUE_PREFIX', badPrefix);
  const notices = text('PAWL_NOTICES') ?? 'auto';
  const named = notices === 'none' ? [] : list(notices, ',');
  const isNoticeName = (name: string): name is NoticeName => (NOTICE_NAMES as readonly string[]).includes(name);
  if (notices !== 'auto' && !named.every(isNoticeName)) bad('PAWL_NOTICES', `must be auto, none, or some of ${NOTICE_NAMES.join(', ')} with commas between, not ${JSON.stringify(notices)}`);
  const address = (name: string, usual: string): string => {
    const given = text(name) ?? usual;
    if (!isHttpAddress(given)) bad(name, 'must be an http address');
    return given.replace(/\/+$/, '');
  };
  // The first two are what Amazon's and Google's own libraries read.
  const googleHost = text('GCE_METADATA_HOST');
  const metadataUrls = {
    aws: address('AWS_EC2_METADATA_SERVICE_ENDPOINT', 'http://169.254.169.254'),
    gcp: googleHost === null ? 'http://metadata.google.internal' : `http://${googleHost}`,
    azure: address('PAWL_AZURE_METADATA_URL', 'http://169.254.169.254'),
  };
  const logLevel = text('PAWL_LOG_LEVEL') ?? 'info';
  if (!LOG_LEVELS.includes(logLevel)) bad('PAWL_LOG_LEVEL', `must be one of ${LOG_LEVELS.join(', ')}`);
  const endpoint = text('S3_ENDPOINT');
  if (endpoint !== null && !isHttpAddress(endpoint)) bad('S3_ENDPOINT', 'must be an http or https address');

  if (problems.length > 0) throw new AppError('invalid_request', `the environment cannot be used: ${problems.map((problem) => `${problem.param} ${problem.message}`).join('; ')}`, { details: problems });
  return {
    redisUrl,
    queuePrefix,
    store: store.startsWith('file:') ? `file:${resolve(cwd, store.slice('file:'.length))}` : store,
    s3: {
      endpoint,
      region: text('AWS_REGION') ?? text('AWS_DEFAULT_REGION') ?? 'us-east-1',
      accessKeyId: text('AWS_ACCESS_KEY_ID'),
      secretAccessKey: text('AWS_SECRET_ACCESS_KEY'),
      sessionToken: text('AWS_SESSION_TOKEN'),
    },
    dataRoots: (list(env['PAWL_DATA_ROOTS'], ':').length > 0 ? list(env['PAWL_DATA_ROOTS'], ':') : [cwd]).map((root) => resolve(cwd, root)),
    dataBuckets,
    dataMemoryBytes: dataMemoryMib === null ? null : Number(dataMemoryMib) * 2 ** 20,
    dataDir,
    url,
    host,
    port,
    engine: engine as Config['engine'],
    notices: notices === 'auto' ? 'auto' : named.filter(isNoticeName),
    signalGraceMs: signalGraceSeconds * 1_000,
    metadataUrls,
    apiTokens,
    corsOrigins: list(env['PAWL_CORS_ORIGINS'], ','),
    maxOpenJobs,
    rateLimit,
    logLevel,
  };
}

/** What is wrong with a URL of Redis, without any of it: there may be a password in it. Null: nothing. */
export function wrongRedisUrl(text: string): string | null {
  if (!/^rediss?:\/\/\S+$/.test(text)) return 'must be redis://… or rediss://…';
  try {
    const { username, password, pathname, search, hash } = new URL(text);
    // as the client does
    decodeURIComponent(username + password);
    // what is left of a password that ended too soon
    if (/^(\/\d*)?$/.test(pathname) && !search.includes('@') && hash === '') return null;
  } catch {
    // said below
  }
  return 'must be redis://user:password@host:port/database (or rediss://), with a port up to 65535; of a password, # is written as %23, / as %2F, ? as %3F, @ as %40, : as %3A, % as %25';
}

/** What is wrong with PAWL_QUEUE_PREFIX; null: nothing. No glob characters: reset() finds keys by pattern. Braces only as one whole hash tag. */
export const wrongPrefix = (prefix: string): string | null =>
  /^(?:[A-Za-z0-9_.:-]{1,64}|\{[A-Za-z0-9_.:-]{1,62}\})$/.test(prefix) ? null : 'must be 1 to 64 letters, digits and _.:- , the whole optionally in braces';

/** Folders that are Pawl's own, wherever the operator has put them: other people's checkpoints, copies of their data, the queue. */
export const ownFolders = ({ store, dataDir }: Config): string[] => [...(store.startsWith('file:') ? [store.slice('file:'.length)] : []), ...['store', 'spool', 'redis'].map((name) => resolve(dataDir, name))];

/** What opening the store needs of the environment besides its URL. */
export function storeOptions({ s3 }: Config): { s3: { endpoint?: string; region: string; credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string } } } {
  const { endpoint, region, accessKeyId, secretAccessKey, sessionToken } = s3;
  return {
    s3: {
      region,
      ...(endpoint === null ? {} : { endpoint }),
      ...(accessKeyId !== null && secretAccessKey !== null ? { credentials: { accessKeyId, secretAccessKey, ...(sessionToken === null ? {} : { sessionToken }) } } : {}),
    },
  };
}
