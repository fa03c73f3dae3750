// The file driver against the suite that all drivers share.

import { makeFileStore } from '../../../lib/store/file.js';
import { makeTempDir } from '../../support/temp.js';
import { describeStore } from './conformance.js';

describeStore('the file store', async () => {
  const folder = await makeTempDir('store');
  return { store: await makeFileStore({ root: folder.path }), end: folder.remove };
});
