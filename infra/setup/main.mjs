// Makes this machine ready for Pawl, from a bare clone: `npm run setup [-- --s3] [--gpu]`. Every step looks first and
// does nothing where nothing is to do. Runs before there is a node_modules, so it imports only what is in this folder.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setUpAddon } from './addon.mjs';
import { setUpBuild } from './build.mjs';
import { setUpLibrary } from './libtensorflow.mjs';
import { checkNodeVersion } from './node-version.mjs';
import { setUpPackages } from './packages.mjs';
import { setUpRedis } from './redis.mjs';
import { say, secondsSince, SetupError } from './say.mjs';
import { setUpVersitygw } from './versitygw.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

async function main() {
  const startedAtMs = performance.now();
  const { values: flags } = parseArgs({ options: { s3: { type: 'boolean' }, gpu: { type: 'boolean' } } });
  checkNodeVersion();
  if (flags.gpu) {
    throw new SetupError('The GPU build of libtensorflow comes with a later version of Pawl.', 'Run set-up without --gpu.');
  }
  // A Go build of minutes, which nothing else waits for.
  const s3 = flags.s3 ? setUpVersitygw() : Promise.resolve();
  s3.catch(() => {});
  await setUpPackages(root);
  await setUpRedis();
  await setUpLibrary();
  await setUpAddon(root);
  await setUpBuild(root);
  await s3;
  say(`ready (${secondsSince(startedAtMs)})`);
}

main().catch((error) => {
  if (!(error instanceof SetupError) && !error.code?.startsWith('ERR_PARSE_ARGS')) throw error;
  if (error.details) console.error(error.details);
  console.error(`set-up: ${error.message}`);
  process.exit(1);
});
