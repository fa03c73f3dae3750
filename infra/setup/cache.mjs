// The folder outside the checkout where set-up keeps what is dear to fetch or to compile, and the two rules that let
// several set-ups share it: a thing appears there whole, by rename, and only one process makes it.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { homedir, hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { say, UnavailableError } from './say.mjs';

const prefix = '.making-';
const freshMs = 5_000;
const staleMs = 30_000;
const abandonedMs = 24 * 3_600_000;

/** `$XDG_CACHE_HOME/pawl`, else `~/.cache/pawl`. */
export function cacheFolder() {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'pawl');
}

const unwritable = ['EROFS', 'EACCES', 'EPERM', 'ENOSPC', 'EDQUOT', 'ENOTDIR', 'EEXIST'];

/**
 * What a folder that cannot be written is to the person in front of it; anything else is thrown on as it is.
 * @param {string} folder @param {unknown} error @returns {never}
 */
function failToWrite(folder, error) {
  const code = /** @type {NodeJS.ErrnoException} */ (error).code ?? '';
  if (!unwritable.includes(code)) throw error;
  const isCache = folder === cacheFolder() || folder.startsWith(`${cacheFolder()}/`);
  throw new UnavailableError(
    `${folder} cannot be written (${code}).`,
    isCache ? `Make room or let this user write there, or set XDG_CACHE_HOME to a folder instead of ${dirname(cacheFolder())}.` : 'Make room there, or let this user write there.',
  );
}

/** @type {Set<string>} */
const temporary = new Set();
/** @type {Set<string>} */
const held = new Set();

// Ctrl-C must leave neither half a gigabyte nor a lock behind.
process.on('exit', () => {
  for (const path of [...temporary, ...held]) rmSync(path, { recursive: true, force: true });
});
for (const [signal, code] of /** @type {const} */ ([['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]])) {
  process.on(signal, () => process.exit(code));
}

/**
 * Fills a new folder next to `path` and renames the result into place, replacing what is there.
 * @param {string} path a file or a folder
 * @param {(folder: string) => Promise<string>} make returns what it made inside the given folder
 */
export async function publish(path, make) {
  const folder = makeNextTo(path);
  temporary.add(folder);
  try {
    const made = await make(folder);
    rmSync(path, { recursive: true, force: true });
    renameSync(made, path);
  } catch (error) {
    failToWrite(dirname(path), error);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    temporary.delete(folder);
  }
}

/** @param {string} path */
function makeNextTo(path) {
  try {
    mkdirSync(dirname(path), { recursive: true });
    removeAbandoned(dirname(path));
    return mkdtempSync(join(dirname(path), prefix));
  } catch (error) {
    failToWrite(dirname(path), error);
  }
}

/** A few bytes. @param {string} file @param {string} text */
export function writeCached(file, text) {
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  } catch (error) {
    failToWrite(dirname(file), error);
  }
}

/** What a killed set-up left. @param {string} folder */
function removeAbandoned(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (!name.startsWith(prefix)) continue;
    const madeAtMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - madeAtMs > abandonedMs) rmSync(path, { recursive: true, force: true });
  }
}

/**
 * Runs `work` while no other process holds `file`. A holder that died is noticed by its pid where that means something, and
 * by the lock's age elsewhere (a cache shared by containers); a living one keeps touching it.
 * @template T
 * @param {string} file @param {string} what what the other process is doing, for the line that says we wait
 * @param {() => Promise<T>} work
 */
export async function withLock(file, what, work) {
  try {
    mkdirSync(dirname(file), { recursive: true });
    // Told at the second refusal: the first may have cleared away a dead process's lock.
    for (let refusals = 1; !(await tryLock(file)); refusals += 1) {
      if (refusals === 2) say(`another set-up is ${what}; waiting for it`);
      await sleep(200);
    }
  } catch (error) {
    failToWrite(dirname(file), error);
  }
  held.add(file);
  const touch = setInterval(() => {
    try {
      utimesSync(file, new Date(), new Date());
    } catch {
      // A disk that takes nothing any more fails the work itself.
    }
  }, freshMs);
  try {
    return await work();
  } finally {
    clearInterval(touch);
    held.delete(file);
    rmSync(file, { force: true });
  }
}

/** Whose process numbers ours are: this host's, in this run of it, in this container; hosts and containers may share a name. */
function numbering() {
  try {
    return [hostname(), readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(), readlinkSync('/proc/self/ns/pid')].join(' ');
  } catch {
    return hostname();
  }
}

/** @param {string} file */
async function tryLock(file) {
  const me = `${process.pid} ${numbering()}`;
  try {
    writeFileSync(file, me, { flag: 'wx' });
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
    if (isStale(file)) rmSync(file, { force: true });
    return false;
  }
  // Another waiter that found the same stale lock may just now be removing ours in its place.
  await sleep(50);
  return existsSync(file) && readFileSync(file, 'utf8') === me;
}

/** @param {string} file */
function isStale(file) {
  try {
    if (Date.now() - statSync(file).mtimeMs > staleMs) return true;
    const [pid, ...place] = readFileSync(file, 'utf8').split(' ');
    // An empty file is a lock being written.
    if (!pid || place.join(' ') !== numbering()) return false;
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'ESRCH';
  }
}
