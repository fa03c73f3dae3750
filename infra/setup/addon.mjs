// tfjs-node-gpu's native addon: linked into node_modules against the cached libtensorflow, compiled when no earlier
// set-up left one, and not called ready before a convolution and its gradient have come out right.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder, publish, withLock } from './cache.mjs';
import { gpuDiagnosis, gpuLogEnvironment, parseGpuLog } from './gpu.mjs';
import { isLibraryThere, libraryFolder, libraryName, libraryVersion } from './libtensorflow.mjs';
import { findNodeHeaders } from './node-headers.mjs';
import { causeOf, findOnPath, lastLines, mustRun, run } from './run.mjs';
import { say, secondsSince, UnavailableError } from './say.mjs';

const sources = ['tfjs_backend', 'tfjs_binding'];
/** Where the package's loader looks: Node-API version 8 is the newest it names, and every Node.js we run on has it. */
const addonPath = 'lib/napi-v8/tfjs_binding.node';

/** @typedef {import('./libtensorflow.mjs').Build} Build */

/** @param {string} root the checkout */
export const packageFolder = (root) => join(root, 'node_modules', '@tensorflow', 'tfjs-node-gpu');

/**
 * The build that this checkout uses, of whatever version of the library; null if it has none that was called ready.
 * @param {string} root the checkout @returns {Build | null}
 */
export function linkedBuild(root) {
  const deps = join(packageFolder(root), 'deps');
  try {
    if (!existsSync(join(deps, 'ready'))) return null;
    const target = readlinkSync(join(deps, 'lib'));
    return /** @type {Build | undefined} */ (/\/libtensorflow-[^/]*-(cpu|cuda)\//.exec(target)?.[1]) ?? null;
  } catch {
    return null;
  }
}

/**
 * Whether the addon could be made, before anything is fetched for it.
 * @param {string} root the checkout @param {Build} build
 */
export function checkAddonCanBeMade(root, build) {
  if (!existsSync(cachedAddon(addonKey(packageFolder(root), build)))) findCompiler();
}

/** @param {string} key */
const cachedAddon = (key) => join(cacheFolder(), key, 'tfjs_binding.node');

function findCompiler() {
  const compiler = findOnPath('g++') ?? findOnPath('c++');
  if (compiler) return compiler;
  throw new UnavailableError(
    'The TensorFlow addon must be compiled, and there is no C++ compiler here.',
    'Install g++ (on Debian and Ubuntu: apt-get install g++) and run this again.',
  );
}

/**
 * @param {string} root the checkout @param {Build} build
 * @param {boolean} checkAnyway when all is in place too: what it says of the GPU depends on the driver
 */
export async function setUpAddon(root, build, checkAnyway) {
  const folder = packageFolder(root);
  const key = addonKey(folder, build);
  const isReady = () => !checkAnyway && isLinked(folder, key, build);
  if (isReady()) return;
  await withLock(join(cacheFolder(), 'addon.lock'), 'building the TensorFlow addon', async () => {
    if (isReady()) return;
    const cached = cachedAddon(key);
    const found = existsSync(cached);
    if (!isLinked(folder, key, build)) {
      link(folder, build);
      if (!found) await compile(folder, cached, build);
      place(cached, join(folder, addonPath));
    }
    let check = await runEngineCheck(root, build);
    if (check.code !== 0 && found) {
      say('tfjs-node-gpu: the addon of an earlier set-up does not work here');
      await compile(folder, cached, build);
      place(cached, join(folder, addonPath));
      check = await runEngineCheck(root, build);
    }
    if (check.code !== 0) {
      // Not left where trainers look either: what ends this check would end them.
      for (const path of [dirname(cached), join(folder, 'deps'), join(folder, addonPath)]) rmSync(path, { recursive: true, force: true });
      throw new UnavailableError(
        `The TensorFlow addon was built but fails its self-check (${causeOf(check.output)}).`,
        build === 'cuda'
          ? '`npm run setup -- --cpu` takes the CPU build instead.'
          : 'A CPU with AVX is needed; a newer system C++ library, or Node.js 22, may help.',
        lastLines(check.output),
      );
    }
    writeFileSync(join(folder, 'deps', 'ready'), key);
    await sayWhatRuns(folder, build, check);
  });
}

/**
 * One line, and below it, if there might be a GPU in use and is none, one for each reason.
 * @param {string} folder @param {Build} build @param {{ stdout: string, output: string }} check
 */
async function sayWhatRuns(folder, build, { stdout, output }) {
  const { backend, version, isUsingGpuDevice } = JSON.parse(lastLines(stdout, 1));
  const device = isUsingGpuDevice ? ['on the GPU', ...parseGpuLog(output).gpus].join(' ') : 'on the CPU';
  say(`tfjs-node-gpu: backend ${backend} on libtensorflow ${version}, self-check passed ${device}`);
  if (build === 'cpu' || isUsingGpuDevice) return;
  say('*** NO GPU IS USED: the CUDA build is here and works, on the CPU. ***');
  for (const reason of await gpuDiagnosis(join(folder, 'deps', 'lib'), output)) say(`  ${reason}`);
  say('  Mend that and run `npm run setup -- --gpu` again, or go back with `npm run setup -- --cpu`.');
}

/**
 * All that makes one compiled addon unfit for another place.
 * @param {string} folder @param {Build} build
 */
function addonKey(folder, build) {
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const library = `tf${libraryVersion}${build === 'cuda' ? '-cuda' : ''}`;
  return `tfjs-node-gpu-${version}-${library}-node${process.versions.modules}-${process.platform}-${process.arch}`;
}

/** @param {string} folder @param {string} key @param {Build} build */
function isLinked(folder, key, build) {
  try {
    return (
      readFileSync(join(folder, 'deps', 'ready'), 'utf8') === key &&
      readlinkSync(join(folder, 'deps', 'lib')) === join(libraryFolder(build), 'lib') &&
      existsSync(join(folder, addonPath)) &&
      isLibraryThere(build)
    );
  } catch {
    return false;
  }
}

/** @param {string} folder @param {Build} build */
function link(folder, build) {
  const deps = join(folder, 'deps');
  rmSync(deps, { recursive: true, force: true });
  mkdirSync(deps);
  for (const name of ['include', 'lib']) symlinkSync(join(libraryFolder(build), name), join(deps, name));
}

/**
 * The addon finds libtensorflow by its place in the package (run path $ORIGIN/../../deps/lib), so it is copied there.
 * By rename, since a running process may have the old one mapped.
 * @param {string} from @param {string} to
 */
function place(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, `${to}.new`);
  renameSync(`${to}.new`, to);
}

/**
 * The package's two C++ files, straight through the compiler: its own build needs make, Python and a full set of Node
 * headers to do the same.
 * @param {string} folder @param {string} target @param {Build} build
 */
async function compile(folder, target, build) {
  const compiler = findCompiler();
  const startedAtMs = performance.now();
  say(`tfjs-node-gpu: compiling its addon for ${libraryName(build)} (about 15 s, once for this machine) ...`);
  await publish(dirname(target), async (temporary) => {
    const headers = await findNodeHeaders(temporary);
    const built = join(temporary, 'built');
    mkdirSync(built);
    const flags = ['-O3', '-fPIC', '-std=gnu++17', '-fno-exceptions', '-fno-rtti', '-DNAPI_VERSION=8'];
    const includes = [`-I${headers}`, `-I${join(libraryFolder(build), 'include')}`];
    const object = (/** @type {string} */ name) => join(temporary, `${name}.o`);
    const compiled = (/** @type {string[]} */ args) =>
      mustRun('Compiling the TensorFlow addon failed.', "See the compiler's lines above.", compiler, args);
    await Promise.all(
      sources.map((name) => compiled([...flags, ...includes, '-c', join(folder, 'binding', `${name}.cc`), '-o', object(name)])),
    );
    await compiled([
      ...['-shared', '-o', join(built, 'tfjs_binding.node'), ...sources.map(object)],
      ...[`-L${join(libraryFolder(build), 'lib')}`, '-Wl,-rpath,$ORIGIN/../../deps/lib', '-ltensorflow', '-ltensorflow_framework'],
    ]);
    return built;
  });
  say(`tfjs-node-gpu: compiled (${secondsSince(startedAtMs)})`);
}

/** Its last line of output is JSON; with the CUDA build the output also holds what gpu.mjs reads. @param {string} root @param {Build} build */
export function runEngineCheck(root, build) {
  const program = join(dirname(fileURLToPath(import.meta.url)), 'engine-check.mjs');
  return run(process.execPath, [program], { cwd: root, env: build === 'cuda' ? gpuLogEnvironment : { TF_CPP_MIN_LOG_LEVEL: '2' } });
}
