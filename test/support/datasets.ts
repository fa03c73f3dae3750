// A bucket of data sets beside the store's own, on the S3 server of a test. Filled by the store's driver, which can write.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Store } from '../../lib/store/index.js';
import { makeS3Store } from '../../lib/store/s3.js';
import type { S3Server } from './s3-server.js';

/** Whoever makes it closes it. */
export async function makeDatasets({ dataDir, endpoint, accessKey, secretKey }: S3Server, bucket = 'datasets'): Promise<Store> {
  await mkdir(join(dataDir, bucket), { recursive: true });
  return makeS3Store({ bucket, prefix: '', endpoint, credentials: { accessKeyId: accessKey, secretAccessKey: secretKey } });
}
