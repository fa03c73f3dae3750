// `auto` on a machine whose TensorFlow cannot be loaded: the real package without its addon, in a process of its own.
import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { makeTempDir } from '../../support/temp.js';

const ROOT = join(import.meta.dirname, '../../..');

test('training goes on with the engine wasm, and says why', async () => {
  const dir = await makeTempDir('fallback');
  onTestFinished(() => dir.remove());
  // a copy of the checkout by links, but for the package's addon
  await cp(join(ROOT, 'dist'), join(dir.path, 'dist'), { recursive: true });
  await cp(join(ROOT, 'package.json'), join(dir.path, 'package.json'));
  const link = async (folder: string, but: readonly string[]): Promise<void> => {
    await mkdir(join(dir.path, folder), { recursive: true });
    for (const name of await readdir(join(ROOT, folder))) if (!but.includes(name)) await symlink(join(ROOT, folder, name), join(dir.path, folder, name));
  };
  await link('node_modules', ['@tensorflow']);
  await link('node_modules/@tensorflow', ['tfjs-node-gpu', 'tfjs-backend-wasm']);
  await cp(join(ROOT, 'node_modules/@tensorflow/tfjs-backend-wasm'), join(dir.path, 'node_modules/@tensorflow/tfjs-backend-wasm'), { recursive: true });
  await link('node_modules/@tensorflow/tfjs-node-gpu', ['lib', 'deps', 'dist']);
  await cp(join(ROOT, 'node_modules/@tensorflow/tfjs-node-gpu/dist'), join(dir.path, 'node_modules/@tensorflow/tfjs-node-gpu/dist'), { recursive: true });

  const program = `
    const { loadEngine } = await import(${JSON.stringify(join(dir.path, 'dist/worker/trainer/engines/load.js'))});
    const said = [];
    const engine = await loadEngine({ ...process.env, PAWL_ENGINE: 'auto' }, (message) => said.push(message));
    await new Promise((resolve) => setTimeout(resolve, 200)); // a rejection that nobody handles ends the process
    console.log(JSON.stringify({ name: engine.name, said }));
    process.exit(0);`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--preserve-symlinks', '--input-type=module', '-e', program], { cwd: dir.path });
  const { name, said } = JSON.parse(stdout) as { name: string; said: string[] };
  expect(name).toBe('wasm');
  expect(said).toEqual([expect.stringMatching(/^training with the engine wasm, which is much slower: the engine tensorflow cannot be loaded: .*tfjs_binding\.node/s)]);
});
