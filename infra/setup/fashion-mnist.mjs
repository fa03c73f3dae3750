// Finds the four files of Fashion-MNIST, or gets them: in the folders of PAWL_DATA_ROOTS, where Debian's package puts them, in the
// cache; else it fetches that package and unpacks it, without installing. They are known by their contents, because Debian
// compresses them anew. Tells whoever forked it the folder.
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { cacheFolder, publish, withLock } from './cache.mjs';
import { findOnPath, mustRun } from './run.mjs';
import { say, secondsSince, SetupError, UnavailableError } from './say.mjs';

/** sha256 of what is in the gzip files. */
const contents = {
  'train-images-idx3-ubyte.gz': 'c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888',
  'train-labels-idx1-ubyte.gz': 'bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9',
  't10k-images-idx3-ubyte.gz': '5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b',
  't10k-labels-idx1-ubyte.gz': '0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34',
};
const debian = { package: 'dataset-fashion-mnist', folder: 'usr/share/datasets/fashion-mnist', downloadMb: 31 };
const byHand = 'Put the four files (their names end with -ubyte.gz) into a folder and name it in PAWL_DATA_ROOTS.';

/** @returns {Promise<string>} the folder with all four */
async function setUpFashionMnist() {
  const cached = join(cacheFolder(), 'fashion-mnist');
  const given = (process.env.PAWL_DATA_ROOTS ?? '').split(':').filter((root) => root !== '');
  for (const folder of [...given, join('/', debian.folder), cached]) {
    if (!Object.keys(contents).every((name) => existsSync(join(folder, name)))) continue;
    await check(folder);
    return folder;
  }
  await withLock(`${cached}.lock`, 'fetching Fashion-MNIST', async () => {
    if (!existsSync(cached)) await fetchPackage(cached);
  });
  return cached;
}

/** @param {string} folder */
async function check(folder) {
  for (const [name, wanted] of Object.entries(contents)) {
    const hash = createHash('sha256');
    await pipeline(createReadStream(join(folder, name)), createGunzip(), hash);
    if (hash.digest('hex') !== wanted) throw new SetupError(`${join(folder, name)} is not Fashion-MNIST's.`, 'Replace or remove it.');
  }
}

/** @param {string} cached */
async function fetchPackage(cached) {
  const missing = ['apt-get', 'dpkg-deb'].find((name) => !findOnPath(name));
  if (missing) throw new UnavailableError(`Fashion-MNIST is not here, and without ${missing} it cannot be fetched.`, byHand);
  const startedAtMs = performance.now();
  say(`Fashion-MNIST: downloading Debian's package ${debian.package} (${debian.downloadMb} MB), once, into ${cached} ...`);
  await publish(cached, async (temporary) => {
    await mustRun(`apt-get could not download ${debian.package}.`, `Is its list of packages there (apt-get update)? Otherwise: ${byHand}`, 'apt-get', ['download', debian.package], { cwd: temporary });
    const file = readdirSync(temporary).find((name) => name.endsWith('.deb')) ?? '';
    await mustRun('dpkg-deb could not unpack the package.', 'See its lines above.', 'dpkg-deb', ['-x', file, 'unpacked'], { cwd: temporary });
    const folder = join(temporary, 'unpacked', debian.folder);
    await check(folder);
    return folder;
  });
  say(`Fashion-MNIST: ready (${secondsSince(startedAtMs)})`);
}

setUpFashionMnist().then(
  (folder) => (process.send ? process.send({ folder }) : say(`Fashion-MNIST: ${folder}`)),
  (error) => {
    if (!(error instanceof SetupError)) throw error;
    if (error.details) console.error(error.details);
    console.error(`set-up: ${error.message}`);
    process.exitCode = 1;
  },
);
