// The S3 driver without a server.

import { expect, it, vi } from 'vitest';
import { makeS3Store } from '../../../lib/store/s3.js';

it('starts without the warning of the SDK about coming versions of Node.js', async () => {
  const warned = vi.spyOn(process, 'emitWarning');
  const store = makeS3Store({ bucket: 'bucket', prefix: 'folder', region: 'us-east-1' });
  expect(warned).not.toHaveBeenCalled();
  expect(store.description).toBe('s3://bucket/folder');
  await store.close();
  warned.mockRestore();
});
