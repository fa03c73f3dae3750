// Spools of workers beside one another, of real processes that live or have died.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../lib/clock.js';
import { silentLog } from '../../../lib/log.js';
import { startTime } from '../../../lib/process-files.js';
import { makeSpool, type Spool } from '../../../worker/supervisor/spools.js';
import { makeTempDir } from '../../support/temp.js';

let root: string;
beforeEach(async () => {
  const dir = await makeTempDir('spools');
  onTestFinished(dir.remove);
  root = join(dir.path, 'spool');
});

const mine = (): Promise<Spool> => makeSpool({ root, id: 'wrk_mine', clock: systemClock, log: silentLog });
const minutesAgo = (minutes: number): Date => new Date(Date.now() - minutes * 60_000);
const owner = async (): Promise<Record<string, unknown>> => JSON.parse(await readFile(join(root, 'wrk_mine', 'owner.json'), 'utf8')) as Record<string, unknown>;

/** A process that waits until it is ended. */
async function processOf(): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1e6)'], { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child, 'spawn');
  return child;
}
async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}
/** A spool with something in it, as its owner left it. */
async function left(name: string, says: object | null, silentMinutes = 0): Promise<void> {
  await mkdir(join(root, name, 'objects', '1'), { recursive: true });
  if (says !== null) await writeFile(join(root, name, 'owner.json'), JSON.stringify(says));
  await utimes(join(root, name), minutesAgo(silentMinutes), minutesAgo(silentMinutes));
}

describe('a worker’s spool', () => {
  it('says whose it is, and goes with it', async () => {
    const spool = await mine();
    expect(spool.folder).toBe(join(root, 'wrk_mine'));
    expect(await owner()).toMatchObject({ pid: process.pid, started: await startTime(process.pid) });
    await spool.sweep();
    expect(await readdir(root)).toEqual(['wrk_mine']);
    await spool.remove();
    expect(await readdir(root)).toEqual([]);
  });

  it('is removed at once when its owner has died, at the start of another one or whenever that looks', async () => {
    const child = await processOf();
    const spool = await mine();
    const theirs = { ...(await owner()), pid: child.pid!, started: await startTime(child.pid!) };
    await left('wrk_theirs', theirs);
    await spool.sweep();
    expect(await readdir(root), 'it lives').toEqual(['wrk_mine', 'wrk_theirs']);
    await kill(child);
    await spool.sweep();
    expect(await readdir(root)).toEqual(['wrk_mine']);
    await left('wrk_theirs', theirs);
    await spool.remove();
    await mine();
    expect(await readdir(root)).toEqual(['wrk_mine']);
  });

  it('is removed too where another process has got the number of its owner', async () => {
    const spool = await mine();
    await left('wrk_theirs', { ...(await owner()), started: '1' });
    await spool.sweep();
    expect(await readdir(root)).toEqual(['wrk_mine']);
  });

  it('stays while its owner lives, however long that was silent', async () => {
    const child = await processOf();
    const spool = await mine();
    await left('wrk_theirs', { ...(await owner()), pid: child.pid!, started: await startTime(child.pid!) }, 60);
    await spool.sweep();
    expect(await readdir(root)).toEqual(['wrk_mine', 'wrk_theirs']);
  });

  it('whose owner cannot be looked for is removed after ten minutes of silence', async () => {
    const spool = await mine();
    const here = { ...(await owner()), started: '1' }; // dead, if it were one of these processes
    const elsewhere = { host: { ...here, host: 'elsewhere' }, numbers: { ...here, numbering: 'another pid:[1]' }, nobody: null };
    for (const [name, says] of Object.entries(elsewhere)) {
      await left(`wrk_${name}_9`, says, 9);
      await left(`wrk_${name}_11`, says, 11);
    }
    await left('other', null, 11);
    await left('wrk_garbled_9', null);
    await writeFile(join(root, 'wrk_garbled_9', 'owner.json'), '{"pid":');
    await spool.sweep();
    expect((await readdir(root)).sort()).toEqual(['other', 'wrk_garbled_9', 'wrk_host_9', 'wrk_mine', 'wrk_nobody_9', 'wrk_numbers_9']);
  });

  it('says that its owner lives to those who cannot look', async () => {
    const spool = await mine();
    await utimes(spool.folder, minutesAgo(11), minutesAgo(11));
    spool.touch();
    await expect.poll(async () => (await stat(spool.folder)).mtimeMs).toBeGreaterThan(minutesAgo(1).getTime());
  });
});
