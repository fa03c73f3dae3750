// `pawl export`: weights as a safetensors file, complete and with the right hash, or no file at all.
import { createHash, randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Option } from 'commander';
import { AppError, messageOf } from '../../../lib/errors.js';
import type { Download } from '../../client.js';
import { type AddCommands, command, usageError, withExamples } from '../context.js';
import { bytes } from '../render.js';

interface ExportOptions {
  json?: boolean;
  out: string;
  checkpoint?: string;
  weights?: 'ema' | 'raw';
}

export const addExport: AddCommands = (program, context) => {
  const made = command(program, 'export <id>', 'write the weights of a finished job, or of a checkpoint, to a safetensors file')
    .requiredOption('--out <file>', 'where to; replaced if it is there')
    .option('--checkpoint <checkpoint>', 'of this checkpoint instead of the result')
    .addOption(new Option('--weights <which>', 'the moving average, or the weights as they were trained; default: the average where the job keeps one').choices(['ema', 'raw']))
    .action(async (id: string, { json, out, checkpoint, weights }: ExportOptions) => {
      const client = context.client();
      const result = checkpoint === undefined && weights === undefined ? (await client.job(id)).result : null;
      const download = await client.weights(id, { checkpoint, weights });
      if (result && download.sha256 !== result.weights_sha256) {
        await download.body.cancel();
        throw new AppError('checkpoint_corrupt', `the API offers weights with sha256 ${download.sha256}, and the job's result says ${result.weights_sha256}`);
      }
      await save(download, out);
      const saved = { out, bytes: download.sizeBytes, sha256: download.sha256 };
      context.out(json ? JSON.stringify(saved) : `${out} · ${bytes(saved.bytes)} · sha256 ${saved.sha256}`);
    });
  withExamples(made, ['pawl export JOB --out weights.safetensors', 'pawl export JOB --checkpoint CHECKPOINT --out early.safetensors'], 'docs/from-keras.md has scripts that load the file into Keras and PyTorch.');
};

/** Written beside its place, checked, flushed, and only then given its name. */
async function save({ body, sha256, sizeBytes }: Download, out: string): Promise<void> {
  const temp = join(dirname(out), `.${basename(out)}.${randomBytes(6).toString('hex')}.part`);
  const file = await open(temp, 'wx').catch(async (error: unknown) => {
    await body.cancel();
    throw usageError('--out', `cannot be written: ${messageOf(error)}`);
  });
  try {
    const hash = createHash('sha256');
    let size = 0;
    try {
      for await (const piece of body as unknown as AsyncIterable<Uint8Array>) {
        hash.update(piece);
        size += piece.length;
        await file.writeFile(piece);
      }
      if (size !== sizeBytes || hash.digest('hex') !== sha256) throw new AppError('checkpoint_corrupt', `what came is not what was announced: ${size} of ${sizeBytes} bytes, or another sha256; nothing was written`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temp, out).catch((error: unknown) => {
      throw usageError('--out', `cannot be written: ${messageOf(error)}`);
    });
  } catch (error) {
    await rm(temp, { force: true });
    throw error;
  }
}
