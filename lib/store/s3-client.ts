// How every S3 server is spoken to, by the store and by whoever reads data: address, credentials, limits on time, checksums.
// With the files beside it that begin with s3 the only one that knows the AWS SDK.
import { S3Client } from '@aws-sdk/client-s3';
import { AppError } from '../errors.js';

export interface S3Timeouts {
  /** Until a connection stands. */
  connectMs: number;
  /** One attempt, from its start to the head of the answer; the time to send the body is added. */
  requestMs: number;
  /** A whole call with its retries; the time to transfer the body is added. */
  budgetMs: number;
  /** The slowest transfer that is still waited for. */
  minBytesPerSecond: number;
}

export interface S3ClientOptions {
  /** Of a server that is not AWS. May not contain credentials. */
  endpoint?: string;
  region?: string;
  /** Without them the SDK's own chain is asked: environment, profile, instance role. */
  credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
  /** `endpoint/bucket/key` instead of `bucket.endpoint/key`; by default exactly when an endpoint is given. */
  forcePathStyle?: boolean;
  timeouts?: Partial<S3Timeouts>;
}

const DEFAULT_TIMEOUTS: S3Timeouts = { connectMs: 3_000, requestMs: 10_000, budgetMs: 30_000, minBytesPerSecond: 256 * 1024 };
const MAX_SOCKETS = 128;

export const timeoutsOf = ({ timeouts }: S3ClientOptions): S3Timeouts => ({ ...DEFAULT_TIMEOUTS, ...timeouts });

/** @param attempts of one request, the first included */
export function makeS3Client(options: S3ClientOptions, attempts: number): S3Client {
  const timeouts = timeoutsOf(options);
  // The SDK's own switch for its start-up warning about coming Node.js versions: operators of Pawl do not choose the SDK.
  // eslint-disable-next-line no-restricted-syntax -- it is set for the SDK, nothing is read from it
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  if (options.endpoint !== undefined && new URL(options.endpoint).username !== '') {
    throw new AppError('invalid_location', 'an S3 endpoint may not contain credentials');
  }
  return new S3Client({
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint, region: 'us-east-1' }),
    ...(options.region === undefined ? {} : { region: options.region }),
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
    forcePathStyle: options.forcePathStyle ?? options.endpoint !== undefined,
    maxAttempts: attempts,
    retryMode: 'standard',
    // Many servers do not know the SDK's default checksums; every blob's sha256 is in a manifest instead.
    // https://docs.aws.amazon.com/sdkref/latest/guide/feature-dataintegrity.html
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Servers that ignore `Expect: 100-continue` would cost six seconds for each long body.
    expectContinueHeader: false,
    // https://docs.aws.amazon.com/sdk-for-javascript/v3/developer-guide/configuring-the-jssdk.html
    requestHandler: {
      connectionTimeout: timeouts.connectMs,
      requestTimeout: timeouts.requestMs,
      throwOnRequestTimeout: true,
      httpAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
      httpsAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
    },
  });
}
