// docs/settings.md has every variable of the environment that is read, with the default that it has.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { readConfig } from '../../../lib/config.js';
import { unsavedMsOf } from '../../../worker/trainer/unsaved.js';
import { DEFAULT_BUDGET_MIB, HEAP_MIB } from '../../../worker/trainer/engines/wasm/memory-guard.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const page = readFileSync(`${ROOT}docs/settings.md`, 'utf8');
/** Each variable's default, as the page has it. */
const rows = new Map([...page.matchAll(/^\| `([A-Z0-9_]+)` \| (.+?) \|/gm)].map(([, name, told]) => [name!, told!]));

/** Set by Pawl itself for the processes that it starts, or found in every environment. */
const NOT_SETTINGS = ['PATH', 'HOME', 'TF_NUM_INTEROP_THREADS', 'TF_NUM_INTRAOP_THREADS', 'PAWL_LANE_ENTRY', 'PAWL_WASM_FUSE', 'AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'];

function readBySettings(): string[] {
  const names = new Set<string>();
  readConfig(new Proxy({}, { get: (_, name) => void names.add(String(name)) }), '/');
  return [...names];
}

it('has every variable that the settings are read from', () => {
  const names = readBySettings();
  expect(names).toEqual(expect.arrayContaining(['REDIS_URL', 'PAWL_PORT', 'AWS_DEFAULT_REGION']));
  for (const name of names) expect([...rows.keys()]).toContain(name);
});

it('has every variable that is read elsewhere, and no other', () => {
  const files = ['api', 'lib', 'worker'].flatMap((folder) => readdirSync(`${ROOT}${folder}`, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts')).map((file) => `${ROOT}${folder}/${file}`));
  const elsewhere = files.flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/\benv(?:ironment)?(?:\.|\[')([A-Z][A-Z0-9_]+)/g)].map(([, name]) => name!));
  expect(elsewhere).toEqual(expect.arrayContaining(['PAWL_WASM_MEMORY_MIB', 'XDG_CACHE_HOME']));
  expect([...rows.keys()].sort()).toEqual([...new Set([...readBySettings(), ...elsewhere])].filter((name) => !NOT_SETTINGS.includes(name)).sort());
});

it('tells defaults that mean the same as nothing', () => {
  const values = [...rows].flatMap(([name, told]) => (/^`([^`]+)`$/.test(told) ? [[name, told.slice(1, -1)] as const] : []));
  expect(values.length).toBeGreaterThan(10);
  for (const [name, value] of values) expect([name, readConfig({ [name]: value }, '/home/me')]).toEqual([name, readConfig({}, '/home/me')]);
  expect(1_000 * Number(rows.get('PAWL_UNSAVED_SECONDS')!.slice(1, -1))).toBe(unsavedMsOf({}));
  expect(rows.get('PAWL_WASM_MEMORY_MIB')).toBe(`\`${DEFAULT_BUDGET_MIB}\``);
  expect(page).toContain(`in MiB, at most ${HEAP_MIB} |`);
});
