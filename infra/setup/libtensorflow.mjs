// TensorFlow's C library in the cache: the two shared objects and the C headers, taken out of the Python wheel.
// The library's own archive is not needed, nor is Python at run time.
import { existsSync, mkdirSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, publish, withLock } from './cache.mjs';
import { say, secondsSince, SetupError } from './say.mjs';
import { fetchWheel } from './wheel.mjs';

/** Changes every trained bit: a new version is a new numerics class. */
export const libraryVersion = '2.20.0';

/** @type {Record<string, import('./wheel.mjs').Wheel>} */
const wheels = {
  'linux-x64': {
    name: 'tensorflow-cpu',
    version: libraryVersion,
    platforms: ['manylinux_2_17_x86_64', 'manylinux2014_x86_64'],
    sha256: 'cf756bbe2d256e942ab5d0ad2c858fb40017581494febdb4387c149b1afde780',
    sizeBytes: 258_876_263,
  },
};

const sharedObjects = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];
const headerFolders = ['tensorflow/c/', 'tensorflow/core/platform/', 'tensorflow/tsl/', 'tsl/', 'xla/tsl/'];

/** The folder with `lib` and `include`, whether or not it is there yet. */
export function libraryFolder() {
  return join(cacheFolder(), `libtensorflow-${libraryVersion}-cpu`);
}

/** @param {string} folder */
export function isLibraryThere(folder) {
  const needed = [...sharedObjects.map((name) => join('lib', name)), 'lib/libtensorflow.so', 'include/tensorflow/c/c_api.h'];
  return needed.every((path) => existsSync(join(folder, path)));
}

export async function setUpLibrary() {
  const folder = libraryFolder();
  if (isLibraryThere(folder)) return;
  const wheel = wheels[`${process.platform}-${process.arch}`];
  if (!wheel || !isGlibc()) {
    throw new SetupError(
      `This version of Pawl trains on Linux x86-64 with glibc; this is ${process.platform} ${process.arch}.`,
      'Use such a machine, or a Debian or Ubuntu container.',
    );
  }
  await withLock(`${folder}.lock`, `fetching libtensorflow ${libraryVersion}`, async () => {
    if (isLibraryThere(folder)) return;
    const startedAtMs = performance.now();
    say(`libtensorflow ${libraryVersion}: fetching it once for this machine into ${folder} (790 MB there)`);
    await publish(folder, async (temporary) => {
      const members = [
        ...sharedObjects.map((name) => `tensorflow/${name}`),
        ...headerFolders.map((name) => `tensorflow/include/${name}`),
      ];
      const unpacked = await fetchWheel(wheel, members, temporary);
      return arrange(join(unpacked, 'tensorflow'), join(temporary, 'library'));
    });
    say(`libtensorflow ${libraryVersion}: ready (${secondsSince(startedAtMs)})`);
  });
}

/**
 * Puts the wheel's files where the binding looks for them, under the names it links against.
 * @param {string} from @param {string} to
 */
function arrange(from, to) {
  const lib = join(to, 'lib');
  mkdirSync(lib, { recursive: true });
  renameSync(join(from, 'include'), join(to, 'include'));
  for (const name of sharedObjects) renameSync(join(from, name), join(lib, name));
  symlinkSync('libtensorflow_cc.so.2', join(lib, 'libtensorflow.so'));
  symlinkSync('libtensorflow_framework.so.2', join(lib, 'libtensorflow_framework.so'));
  return to;
}

function isGlibc() {
  process.report.excludeNetwork = true;
  const report = /** @type {{ header: Record<string, unknown> }} */ (process.report.getReport());
  return typeof report.header.glibcVersionRuntime === 'string';
}
