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
import { isLibraryThere, libraryFolder, libraryVersion } from './libtensorflow.mjs';
import { findNodeHeaders } from './node-headers.mjs';
import { findOnPath, lastLines, mustRun, run } from './run.mjs';
import { say, secondsSince, SetupError } from './say.mjs';

const sources = ['tfjs_backend', 'tfjs_binding'];
/** Where the package's loader looks: Node-API version 8 is the newest it names, and every Node.js we run on has it. */
const addonPath = 'lib/napi-v8/tfjs_binding.node';

/** @param {string} root the checkout */
export async function setUpAddon(root) {
  const folder = join(root, 'node_modules', '@tensorflow', 'tfjs-node-gpu');
  const key = addonKey(folder);
  if (isLinked(folder, key)) return;
  await withLock(join(cacheFolder(), 'addon.lock'), 'building the TensorFlow addon', async () => {
    if (isLinked(folder, key)) return;
    link(folder);
    const cached = join(cacheFolder(), key, 'tfjs_binding.node');
    const found = existsSync(cached);
    if (!found) await compile(folder, cached);
    place(cached, join(folder, addonPath));
    let check = await runEngineCheck(root);
    if (check.code !== 0 && found) {
      say('tfjs-node-gpu: the addon of an earlier set-up does not work here');
      await compile(folder, cached);
      place(cached, join(folder, addonPath));
      check = await runEngineCheck(root);
    }
    if (check.code !== 0) {
      rmSync(dirname(cached), { recursive: true, force: true });
      throw new SetupError(
        'The TensorFlow addon was built but fails its self-check.',
        'See the lines above; a newer system C++ library, or Node.js 22, may help.',
        lastLines(check.output),
      );
    }
    say(`tfjs-node-gpu: ${check.stdout.trim()}`);
    writeFileSync(join(folder, 'deps', 'ready'), key);
  });
}

/**
 * All that makes one compiled addon unfit for another place.
 * @param {string} folder
 */
function addonKey(folder) {
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return `tfjs-node-gpu-${version}-tf${libraryVersion}-node${process.versions.modules}-${process.platform}-${process.arch}`;
}

/** @param {string} folder @param {string} key */
function isLinked(folder, key) {
  try {
    return (
      readFileSync(join(folder, 'deps', 'ready'), 'utf8') === key &&
      readlinkSync(join(folder, 'deps', 'lib')) === join(libraryFolder(), 'lib') &&
      existsSync(join(folder, addonPath)) &&
      isLibraryThere(libraryFolder())
    );
  } catch {
    return false;
  }
}

/** @param {string} folder */
function link(folder) {
  const deps = join(folder, 'deps');
  rmSync(deps, { recursive: true, force: true });
  mkdirSync(deps);
  for (const name of ['include', 'lib']) symlinkSync(join(libraryFolder(), name), join(deps, name));
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
 * @param {string} folder @param {string} target
 */
async function compile(folder, target) {
  const compiler = findOnPath('g++') ?? findOnPath('c++');
  if (!compiler) {
    throw new SetupError(
      'The TensorFlow addon must be compiled, and there is no C++ compiler here.',
      'Install g++ (on Debian and Ubuntu: apt-get install g++) and run this again.',
    );
  }
  const startedAtMs = performance.now();
  say('tfjs-node-gpu: compiling its addon (about 15 s, once for this machine) ...');
  await publish(dirname(target), async (temporary) => {
    const headers = await findNodeHeaders(temporary);
    const built = join(temporary, 'built');
    mkdirSync(built);
    const flags = ['-O3', '-fPIC', '-std=gnu++17', '-fno-exceptions', '-fno-rtti', '-DNAPI_VERSION=8'];
    const includes = [`-I${headers}`, `-I${join(libraryFolder(), 'include')}`];
    const object = (/** @type {string} */ name) => join(temporary, `${name}.o`);
    const build = (/** @type {string[]} */ args) =>
      mustRun('Compiling the TensorFlow addon failed.', "See the compiler's lines above.", compiler, args);
    await Promise.all(
      sources.map((name) => build([...flags, ...includes, '-c', join(folder, 'binding', `${name}.cc`), '-o', object(name)])),
    );
    await build([
      ...['-shared', '-o', join(built, 'tfjs_binding.node'), ...sources.map(object)],
      ...[`-L${join(libraryFolder(), 'lib')}`, '-Wl,-rpath,$ORIGIN/../../deps/lib', '-ltensorflow', '-ltensorflow_framework'],
    ]);
    return built;
  });
  say(`tfjs-node-gpu: compiled (${secondsSince(startedAtMs)})`);
}

/** @param {string} root */
function runEngineCheck(root) {
  const program = join(dirname(fileURLToPath(import.meta.url)), 'engine-check.mjs');
  return run(process.execPath, [program], { cwd: root, env: { TF_CPP_MIN_LOG_LEVEL: '2' } });
}
