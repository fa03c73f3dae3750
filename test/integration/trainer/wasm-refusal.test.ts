// The wasm engine on machines that it cannot run on, or not as fast: processes of their own, with a Node that lacks something.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const LOAD = new URL('../../../dist/worker/trainer/engines/load.js', import.meta.url).href;
const SCRIPT = `
  const { loadWasm } = await import(${JSON.stringify(LOAD)});
  const answer = await loadWasm(process.env).then(({ device, numerics }) => ({ device, numerics }), ({ code, message }) => ({ code, message }));
  process.stdout.write(JSON.stringify(answer));
`;

/** What becomes of the engine in a Node with these flags and variables. */
async function load(flags: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, '--input-type=module', '--eval', SCRIPT], { cwd: fileURLToPath(new URL('../../..', import.meta.url)), env: { ...process.env, ...environment } });
  return JSON.parse(stdout.slice(stdout.indexOf('{"')));
}

test.each([
  ['without WebAssembly', ['--jitless'], 'its module was not loaded'],
  ['without memory', ['--wasm-max-mem-pages=100'], 'its module was not loaded'],
])('%s it is unavailable', async (_, flags, reason) => {
  expect(await load(flags)).toEqual({ code: 'engine_unavailable', message: `the engine wasm cannot be started: ${reason}` });
});

test.runIf(process.arch === 'x64')('a processor without SIMD is refused', async () => {
  expect(await load(['--noenable-sse4-1'])).toEqual({ code: 'engine_unavailable', message: 'the engine wasm needs a processor with SIMD (SSE4.1 or better on x64)' });
});

test.runIf(process.arch === 'x64')('a processor that cannot fuse products is another class, and so is one that shall not', async () => {
  const rounded = { device: 'wasm (simd, 1 thread)', numerics: expect.stringMatching(/; simd; x64$/) as string };
  expect(await load(['--noenable-fma3', '--noenable-avx2'])).toEqual(rounded);
  expect(await load([], { PAWL_WASM_FUSE: '0' })).toEqual(rounded);
});
