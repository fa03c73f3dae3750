// Run in a process of its own: which build of TensorFlow this checkout has, whether it uses a GPU and, where it does not, why.
// One line of JSON: {build, gpus, reasons}.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { linkedBuild, packageFolder, runEngineCheck } from './addon.mjs';
import { gpuDiagnosis, parseGpuLog } from './gpu.mjs';
import { lastLines } from './run.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** @returns {Promise<{ build: string | null, gpus: string[], reasons: string[] }>} */
async function report() {
  const build = linkedBuild(root);
  if (build === null) return { build, gpus: [], reasons: ['TensorFlow is not set up here; `npm run setup` says why.'] };
  if (build === 'cpu') return { build, gpus: [], reasons: ["TensorFlow's CPU build is in use; `npm run setup -- --gpu` takes the CUDA build."] };
  const check = await runEngineCheck(root, build);
  const used = check.code === 0 && JSON.parse(lastLines(check.stdout, 1)).isUsingGpuDevice === true;
  return { build, gpus: parseGpuLog(check.output).gpus, reasons: used ? [] : await gpuDiagnosis(join(packageFolder(root), 'deps', 'lib'), check.output) };
}

console.log(JSON.stringify(await report()));
