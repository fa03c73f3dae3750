// Run in a process of its own: which build of TensorFlow this checkout has, whether it uses a GPU and, where it does not, why.
// One line of JSON: {build, gpus, reasons}.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { linkedBuild } from './addon.mjs';
import { gpuDiagnosis, gpuLogEnvironment, parseGpuLog } from './gpu.mjs';
import { lastLines, run } from './run.mjs';

const folder = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(folder));

/** @returns {Promise<{ build: string | null, gpus: string[], reasons: string[] }>} */
async function report() {
  const build = linkedBuild(root);
  if (build === null) return { build, gpus: [], reasons: ['TensorFlow is not set up here; `npm run setup` says why.'] };
  if (build === 'cpu') return { build, gpus: [], reasons: ["TensorFlow's CPU build is in use; `npm run setup -- --gpu` takes the CUDA build."] };
  const check = await run(process.execPath, [join(folder, 'engine-check.mjs')], { cwd: root, env: gpuLogEnvironment });
  const used = check.code === 0 && JSON.parse(lastLines(check.stdout, 1)).isUsingGpuDevice === true;
  const library = join(root, 'node_modules/@tensorflow/tfjs-node-gpu/deps/lib');
  return { build, gpus: parseGpuLog(check.output).gpus, reasons: used ? [] : await gpuDiagnosis(library, check.output) };
}

console.log(JSON.stringify(await report()));
