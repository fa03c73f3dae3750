// Whether TensorFlow uses a GPU and, where it does not, why: from what this machine has and from TensorFlow's own log.
// Loads no library and changes nothing; what it says is for people. Imports nothing of set-up that acts on import, so that
// other programs may use it.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cudaWheels } from './cuda-wheels.mjs';
import { findOnPath, run } from './run.mjs';

/**
 * For the process that loads the library: its log says what it opens, and a busy GPU's memory is left to others.
 * @type {Record<string, string>}
 */
export const gpuLogEnvironment = { TF_CPP_MIN_LOG_LEVEL: '0', TF_CPP_VMODULE: 'dso_loader=1', TF_FORCE_GPU_ALLOW_GROWTH: 'true' };

/** For CUDA 12, whichever: https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html */
const oldestDriver = '525.60.13';

/** cuDNN takes it from the system. */
const compression = 'libz.so.1';

/**
 * @typedef {object} Machine what there is; null where that is not known
 * @property {string[]} devices of an NVIDIA GPU, in /dev
 * @property {string | null} driver the version of the kernel driver that is loaded
 * @property {Set<string> | null} libraries the sonames that the dynamic linker finds
 * @property {string | null} visibleDevices CUDA_VISIBLE_DEVICES
 * @property {string[]} missingFiles those of NVIDIA's libraries that should lie beside TensorFlow's and do not
 */

/**
 * @typedef {object} GpuLog what TensorFlow says of itself
 * @property {string[]} gpus that it uses: name and compute capability
 * @property {{ name: string, why: string }[]} unopened libraries
 * @property {string | null} cuInit why the driver refused
 * @property {string[]} others its warnings and errors, and what else it says of GPUs
 */

/**
 * Why no GPU is used, one sentence a reason and never none.
 * @param {string} library the folder with the CUDA build of libtensorflow_cc, or a link to it
 * @param {string} log of a process that loaded it with gpuLogEnvironment
 * @param {NodeJS.ProcessEnv} [environment] of that process
 */
export async function gpuDiagnosis(library, log, environment = process.env) {
  return whyNoGpu(await lookAtMachine(library, environment), parseGpuLog(log));
}

/**
 * @param {string} library @param {NodeJS.ProcessEnv} environment
 * @returns {Promise<Machine>}
 */
async function lookAtMachine(library, environment) {
  const ldconfig = await run(findOnPath('ldconfig') ?? '/sbin/ldconfig', ['-p']);
  const libraries = ldconfig.code === 0 ? parseLdconfig(ldconfig.stdout) : null;
  for (const folder of (environment.LD_LIBRARY_PATH ?? '').split(':').filter((folder) => existsSync(folder))) {
    for (const name of readdirSync(folder)) libraries?.add(name);
  }
  const version = '/proc/driver/nvidia/version';
  return {
    // Windows' Linux has one device for all makers, and no kernel driver of NVIDIA's.
    devices: readdirSync('/dev').filter((name) => /^nvidia\d+$|^dxg$/.test(name)),
    driver: existsSync(version) ? parseDriverVersion(readFileSync(version, 'utf8')) : null,
    libraries,
    visibleDevices: environment.CUDA_VISIBLE_DEVICES ?? null,
    missingFiles: cudaWheels
      .flatMap(({ folder, files }) => files.map((file) => join(folder, file)))
      // By string: the kernel follows the link before it goes up.
      .filter((file) => !existsSync(`${library}/../../nvidia/${file}`)),
  };
}

/** @param {string} text what `ldconfig -p` prints */
export function parseLdconfig(text) {
  const libraries = [...text.matchAll(/^\s+(\S+) \(([^)]*)\) => /gm)];
  return new Set(libraries.filter(([, , kind]) => kind?.includes('x86-64')).map(([, name = '']) => name));
}

/** @param {string} text of /proc/driver/nvidia/version, from either of NVIDIA's kernel drivers */
export function parseDriverVersion(text) {
  return /^NVRM version:.*?\s(\d+(?:\.\d+)+)\s/m.exec(text)?.[1] ?? null;
}

/**
 * @param {string} log
 * @returns {GpuLog}
 */
export function parseGpuLog(log) {
  const gpus = [...log.matchAll(/Created device \S+GPU:\d+ .*?\bname: (.*?),.*?compute capability: ([\d.]+)/g)];
  const unopened = [...log.matchAll(/Could not load dynamic library '([^']+)'; dlerror: (.*)/g)];
  const said = [...log.matchAll(/^\S+ \S+: ([IWEF]) \S+:\d+\] (.*)$/gm)];
  const others = said.filter(([, level, text = '']) => level !== 'I' || /\b(GPU|cuda|CUDA)\b/.test(text)).map(([, , text = '']) => text);
  return {
    gpus: gpus.map(([, name, capability]) => `${name} (compute capability ${capability})`),
    unopened: unopened.map(([, name = '', why = '']) => ({ name, why })),
    cuInit: /failed call to cuInit: (?:INTERNAL: CUDA error: Failed call to cuInit: )?(.*)/.exec(log)?.[1] ?? null,
    others: [...new Set(others)],
  };
}

/**
 * @param {Machine} machine @param {GpuLog} log
 * @returns {string[]}
 */
export function whyNoGpu(machine, log) {
  const { devices, driver, libraries, visibleDevices, missingFiles } = machine;
  const unopened = new Map(log.unopened.map(({ name, why }) => [name, why]));
  const reasons = [];
  if (devices.length === 0) {
    reasons.push(
      driver === null
        ? 'No NVIDIA driver is loaded: neither /dev/nvidia0 nor /proc/driver/nvidia/version is there. In a container: it was started without a GPU (docker run --gpus all).'
        : `The NVIDIA driver ${driver} is loaded, but no /dev/nvidia0 is here. In a container: it was started without a GPU (docker run --gpus all).`,
    );
  }
  if (driver !== null && compareVersions(driver, oldestDriver) < 0) {
    reasons.push(`The NVIDIA driver is ${driver}, and CUDA 12 needs ${oldestDriver} or newer.`);
  }
  if (unopened.has('libcuda.so.1') || libraries?.has('libcuda.so.1') === false) {
    reasons.push(
      "libcuda.so.1, the driver's own library, is not found. It comes with the driver; in a container with the NVIDIA container toolkit (NVIDIA_DRIVER_CAPABILITIES=compute,utility).",
    );
  }
  if (visibleDevices !== null && /^\s*(-1.*)?$/.test(visibleDevices)) {
    reasons.push(`CUDA_VISIBLE_DEVICES="${visibleDevices}" hides every GPU.`);
  }
  for (const file of missingFiles) reasons.push(`${file} is missing beside TensorFlow's library; set-up fetches it again.`);
  for (const [name, why] of unopened) if (name !== 'libcuda.so.1') reasons.push(`${name} cannot be opened: ${why}`);
  if (libraries?.has(compression) === false) {
    reasons.push(`${compression}, which cuDNN needs, is not found (on Debian and Ubuntu: apt-get install zlib1g).`);
  }
  // Without a driver it fails for the reasons above.
  if (log.cuInit && (reasons.length === 0 || driver !== null)) reasons.push(`The driver does not start: cuInit says ${log.cuInit}.`);
  if (reasons.length > 0) return reasons;
  return ['Nothing that is known to be missing is missing. What TensorFlow says:', ...log.others.map((line) => `  ${line}`)];
}

/** @param {string} one @param {string} other */
function compareVersions(one, other) {
  return one.localeCompare(other, 'en', { numeric: true });
}
