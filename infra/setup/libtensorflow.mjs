// TensorFlow's C library in the cache, in one of its two builds or both: the two shared objects and the C headers, taken
// out of the Python wheel, and beside the CUDA build NVIDIA's libraries. The library's own archive is not needed, nor is
// Python at run time.
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, publish, withLock, writeCached } from './cache.mjs';
import { cudaWheels } from './cuda-wheels.mjs';
import { say, secondsSince, UnavailableError } from './say.mjs';
import { fetchWheel } from './wheel.mjs';

/** @typedef {'cpu' | 'cuda'} Build */

/** Changes every trained bit: a new version is a new numerics class. */
export const libraryVersion = '2.20.0';

const platforms = ['manylinux_2_17_x86_64', 'manylinux2014_x86_64'];

/** @type {Record<string, Record<Build, import('./wheel.mjs').Wheel>>} */
const wheels = {
  'linux-x64': {
    cpu: {
      name: 'tensorflow-cpu',
      version: libraryVersion,
      platforms,
      sha256: 'cf756bbe2d256e942ab5d0ad2c858fb40017581494febdb4387c149b1afde780',
      sizeBytes: 258_876_263,
    },
    cuda: {
      name: 'tensorflow',
      version: libraryVersion,
      platforms,
      sha256: '481499fd0f824583de8945be61d5e827898cdaa4f5ea1bc2cc28ca2ccff8229e',
      sizeBytes: 620_570_129,
    },
  },
};

/** What a person needs to know before it begins. @type {Record<Build, string>} */
const sizes = { cpu: '259 MB to download, 790 MB there', cuda: '2.2 GB to download, 3.6 GB there' };

const sharedObjects = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];
const headerFolders = ['tensorflow/c/', 'tensorflow/core/platform/', 'tensorflow/tsl/', 'tsl/', 'xla/tsl/'];

/** @param {Build} build */
function buildFolder(build) {
  return join(cacheFolder(), `libtensorflow-${libraryVersion}-${build}`);
}

/**
 * The folder with `lib` and `include`, whether or not it is there yet. The CUDA build's has a sibling `nvidia`, as in
 * Python's site-packages: the library's run path says $ORIGIN/../../nvidia/cublas/lib and so on, and it looks for ptxas
 * and libdevice in ../../nvidia/cuda_nvcc.
 * @param {Build} build
 */
export function libraryFolder(build) {
  return build === 'cuda' ? join(buildFolder(build), 'tensorflow') : buildFolder(build);
}

/** @param {Build} build */
export function isLibraryThere(build) {
  return isTensorflowThere(build) && (build === 'cpu' || cudaWheels.every(isCudaPartThere));
}

/** @param {Build} build */
function isTensorflowThere(build) {
  const needed = [...sharedObjects.map((name) => join('lib', name)), 'lib/libtensorflow.so', 'include/tensorflow/c/c_api.h'];
  return needed.every((path) => existsSync(join(libraryFolder(build), path)));
}

/** @param {import('./cuda-wheels.mjs').CudaWheel} part */
const cudaPartFolder = (part) => join(buildFolder('cuda'), 'nvidia', part.folder);

/** @param {import('./cuda-wheels.mjs').CudaWheel} part */
function isCudaPartThere(part) {
  return part.files.every((file) => existsSync(join(cudaPartFolder(part), file)));
}

/** @param {Build} build */
export async function setUpLibrary(build) {
  if (isLibraryThere(build)) return;
  const wheel = wheels[`${process.platform}-${process.arch}`]?.[build];
  if (!wheel || !isGlibc()) {
    throw new UnavailableError(
      `TensorFlow's library is for Linux x86-64 with glibc; this is ${process.platform} ${process.arch}${process.platform === 'linux' && !isGlibc() ? ' without glibc' : ''}.`,
      'Use such a machine, or a Debian or Ubuntu container.',
    );
  }
  const name = libraryName(build);
  await withLock(`${buildFolder(build)}.lock`, `fetching ${name}`, async () => {
    if (isLibraryThere(build)) return;
    const startedAtMs = performance.now();
    say(`${name}: fetching it once for this machine into ${buildFolder(build)} (${sizes[build]})`);
    if (!isTensorflowThere(build)) await publish(libraryFolder(build), (temporary) => takeTensorflow(wheel, temporary));
    // Each is there whole or not at all, so that a set-up that was broken off goes on with the next.
    for (const part of build === 'cuda' ? cudaWheels : []) {
      if (!isCudaPartThere(part)) await publish(cudaPartFolder(part), (temporary) => takeCudaPart(part, temporary));
    }
    say(`${name}: ready (${secondsSince(startedAtMs)})`);
  });
}

/** For people. @param {Build} build */
export function libraryName(build) {
  return `libtensorflow ${libraryVersion}, ${build === 'cuda' ? 'CUDA' : 'CPU'} build`;
}

/** @param {import('./wheel.mjs').Wheel} wheel @param {string} temporary */
async function takeTensorflow(wheel, temporary) {
  const members = [
    ...sharedObjects.map((name) => `tensorflow/${name}`),
    ...headerFolders.map((name) => `tensorflow/include/${name}`),
  ];
  const unpacked = await fetchWheel(wheel, members, temporary);
  return arrange(join(unpacked, 'tensorflow'), join(temporary, 'library'));
}

/** @param {import('./cuda-wheels.mjs').CudaWheel} part @param {string} temporary */
async function takeCudaPart({ from, files, ...wheel }, temporary) {
  const members = files.map((file) => `nvidia/${from}/${file}`);
  const taken = join(await fetchWheel({ ...wheel, platforms }, members, temporary), 'nvidia', from);
  // Unpacking loses what a program is.
  for (const file of files) if (file.startsWith('bin/')) chmodSync(join(taken, file), 0o755);
  return taken;
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

const choiceFile = () => join(cacheFolder(), 'libtensorflow-build');

/** The build that was last asked for by name on this machine, or null. @returns {Build | null} */
export function rememberedBuild() {
  if (!existsSync(choiceFile())) return null;
  const build = readFileSync(choiceFile(), 'utf8').trim();
  return build === 'cpu' || build === 'cuda' ? build : null;
}

/** @param {Build} build */
export function rememberBuild(build) {
  writeCached(choiceFile(), `${build}\n`);
}

function isGlibc() {
  process.report.excludeNetwork = true;
  const report = /** @type {{ header: Record<string, unknown> }} */ (process.report.getReport());
  return typeof report.header.glibcVersionRuntime === 'string';
}
