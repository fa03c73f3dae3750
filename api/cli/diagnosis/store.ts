// The store: whether it answers and keeps its promises, and whether this machine's clock is its server's.
import { type Config, storeOptions } from '../../../lib/config.js';
import { isAppError, messageOf } from '../../../lib/errors.js';
import { openStore } from '../../../lib/store/open.js';
import { probeStore } from '../../../lib/store/probe.js';
import { type Finding, fixFor, type Look, ok, problem } from './finding.js';

/** A doctor does not wait as long as a worker does. */
const TIMEOUTS = { connectMs: 2_000, requestMs: 5_000, budgetMs: 6_000 };
const CLOCK_MS = 3_000;
/** S3 refuses what is signed so far from its own time. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
const SKEW_MOST_MS = 15 * 60_000;
/** Times in jobs and logs of several machines are hard to read then. */
const SKEW_NOTED_MS = 30_000;

const FOLDER_FIX = 'make it a folder that this user may write, or choose another with PAWL_STORE=file:FOLDER';
const S3_OTHERWISE = 'PAWL_STORE is s3://bucket/prefix, S3_ENDPOINT its server if that is not AWS, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY who asks';
const S3_FIXES: readonly (readonly [RegExp, string])[] = [
  [/NoSuchBucket/, 'make the bucket (`aws s3 mb s3://BUCKET`), or correct PAWL_STORE'],
  [/Credentials/, 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY'],
  [/InvalidAccessKeyId|SignatureDoesNotMatch|UserNotFound|InvalidToken|ExpiredToken|TokenRefresh/, 'the server does not know these credentials: correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_SESSION_TOKEN for temporary ones)'],
  [/RequestTimeTooSkewed/, 'set the clock of this machine: `timedatectl set-ntp true`'],
  [/AccessDenied|Forbidden|HTTP 403/, 'let these credentials do s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload and s3:ListBucket under the prefix'],
  [/PermanentRedirect|HTTP 301|HTTP 307|AuthorizationHeaderMalformed/, "set AWS_REGION to the bucket's region"],
  [/ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN|Timeout|no answer in time/, 'no server answers: start it, or correct S3_ENDPOINT (https://s3.AWS_REGION.amazonaws.com without it)'],
];

export const lookAtStore: Look = async ({ config }) => {
  const isFolder = config.store.startsWith('file:');
  try {
    const store = await openStore(config.store, { s3: { ...storeOptions(config).s3, timeouts: TIMEOUTS } });
    try {
      const beganMs = performance.now();
      await probeStore(store);
      return [ok('store', `${store.description} keeps its promises (probed in ${((performance.now() - beganMs) / 1_000).toFixed(1)} s)`)];
    } finally {
      await store.close();
    }
  } catch (error) {
    // which call of the probe it was is of no use
    const message = messageOf(error).replace(/\b\w+ probe\/\S+: /, '');
    const unsafe = isFolder ? 'choose a folder on a local disk with PAWL_STORE=file:FOLDER' : 'choose a server that honours If-Match and If-None-Match on PUT, such as AWS S3, MinIO or Ceph, with S3_ENDPOINT and PAWL_STORE';
    const fix = isAppError(error, 'store_unsafe') ? unsafe : isFolder ? FOLDER_FIX : fixFor(message, S3_FIXES, S3_OTHERWISE);
    return [problem('store', message.includes(config.store) ? message : `${config.store}: ${message}`, fix)];
  }
};

export const lookAtClock: Look = async ({ config }) => (config.store.startsWith('s3:') ? clockBy(serverOf(config)) : []);

const serverOf = ({ s3 }: Config): string => s3.endpoint ?? `https://s3.${s3.region}.amazonaws.com`;

/** By the Date of whatever a server answers; nothing where none does, or where it tells no time. */
export async function clockBy(server: string): Promise<Finding[]> {
  const beganMs = Date.now();
  const date = await fetch(server, { method: 'HEAD', redirect: 'manual', signal: AbortSignal.timeout(CLOCK_MS) }).then((answer) => Date.parse(answer.headers.get('date') ?? ''), () => NaN);
  if (Number.isNaN(date)) return [];
  const skewMs = (beganMs + Date.now()) / 2 - date;
  const words = `this machine's clock is ${Math.round(Math.abs(skewMs) / 1_000)} s ${skewMs > 0 ? 'ahead of' : 'behind'} that of ${server}`;
  const fix = 'set the clock: `timedatectl set-ntp true`, or `chronyc makestep`';
  if (Math.abs(skewMs) > SKEW_MOST_MS) return [problem('clock', `${words}; S3 refuses requests from 900 s on`, fix)];
  if (Math.abs(skewMs) > SKEW_NOTED_MS) return [problem('clock', words, fix, 'warning')];
  return [ok('clock', `as the clock of ${server}`)];
}
