// Makes this machine ready for Pawl, from a bare clone: `npm run setup [-- --s3] [--gpu | --cpu]`. Every step looks first
// and does nothing where nothing is to do. Runs before there is a node_modules, so it imports only what is in this folder.
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { linkedBuild } from './addon.mjs';
import { setUpBuild } from './build.mjs';
import { setUpEngine } from './engine.mjs';
import { rememberedBuild } from './libtensorflow.mjs';
import { checkNodeVersion } from './node-version.mjs';
import { setUpPackages } from './packages.mjs';
import { setUpRedis } from './redis.mjs';
import { say, secondsSince, SetupError } from './say.mjs';
import { setUpVersitygw } from './versitygw.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

async function main() {
  const startedAtMs = performance.now();
  const { values: flags } = parseArgs({
    options: { s3: { type: 'boolean' }, gpu: { type: 'boolean' }, cpu: { type: 'boolean' } },
  });
  checkNodeVersion();
  const asked = askedBuild(flags);
  // What this checkout has, before npm may replace node_modules; a new one takes what this machine took last.
  const build = asked ?? linkedBuild(root) ?? rememberedBuild() ?? 'cpu';
  // A Go build of minutes, which nothing else waits for.
  const s3 = flags.s3 ? setUpVersitygw() : Promise.resolve();
  s3.catch(() => {});
  await setUpPackages(root);
  await setUpRedis();
  const engine = await setUpEngine(root, build, asked);
  await setUpBuild(root);
  await s3;
  say(`ready (${secondsSince(startedAtMs)}): ${engine}`);
  if (build === 'cpu' && rememberedBuild() === null && existsSync('/proc/driver/nvidia/version')) {
    say('there is an NVIDIA driver here: `npm run setup -- --gpu` takes the CUDA build (--cpu ends this line)');
  }
}

/** @param {{ gpu?: boolean | undefined, cpu?: boolean | undefined }} flags @returns {import('./libtensorflow.mjs').Build | null} */
function askedBuild({ gpu, cpu }) {
  if (gpu && cpu) {
    throw new SetupError('--gpu and --cpu name two builds of one library.', 'Give one of them, or neither to keep what is here.');
  }
  if (gpu) return 'cuda';
  return cpu ? 'cpu' : null;
}

main().catch((error) => {
  if (!(error instanceof SetupError) && !error.code?.startsWith('ERR_PARSE_ARGS')) throw error;
  if (error.details) console.error(error.details);
  console.error(`set-up: ${error.message}`);
  process.exit(1);
});
