// The GPUs that a worker's jobs are spread over: one slot each, so that a trainer sees exactly one.
import { readdirSync } from 'node:fs';
import { AppError } from '../../lib/errors.js';

/** What CUDA_VISIBLE_DEVICES may list: an index, or the beginning of an identifier as `nvidia-smi -L` prints it. */
const DEVICE = /^(\d+|(GPU|MIG)-[\w/-]+)$/;

/**
 * @param wanted of `--devices`: `all`, or a list as CUDA_VISIBLE_DEVICES has it
 * @param env of the worker: where CUDA_VISIBLE_DEVICES is set, `all` are those
 * @param present numbers of the NVIDIA GPUs of this machine
 * @throws AppError invalid_request
 */
export function chooseDevices(wanted: string, env: Readonly<Record<string, string | undefined>>, present: readonly number[] = presentDevices()): string[] {
  const refuse = (message: string): AppError => new AppError('invalid_request', `--devices ${wanted}: ${message}`, { param: 'devices' });
  const visible = env['CUDA_VISIBLE_DEVICES'];
  const all = visible === undefined ? present.map(String) : parts(visible);
  const chosen = wanted === 'all' ? all : parts(wanted);
  if (wanted === 'all' && chosen.length === 0) throw refuse(`there is no NVIDIA GPU here (${visible === undefined ? 'no /dev/nvidia0' : `CUDA_VISIBLE_DEVICES is ${JSON.stringify(visible)}`}); without the option a worker uses the CPU`);
  const wrong = chosen.find((device) => !DEVICE.test(device));
  if (wrong !== undefined || chosen.length === 0) throw refuse(`expected "all", or numbers or identifiers of GPUs separated by commas, such as 0,1${wrong === undefined ? '' : `, not ${JSON.stringify(wrong)}`}`);
  if (new Set(chosen).size < chosen.length) throw refuse('a GPU is named twice');
  const absent = chosen.find((device) => !all.includes(device) && /^\d+$/.test(device));
  if (absent !== undefined) throw refuse(`there is no GPU ${absent} here, only ${all.length === 0 ? 'none' : all.join(', ')}`);
  return chosen;
}

const parts = (list: string): string[] => list.split(',').map((part) => part.trim()).filter((part) => part !== '');

function presentDevices(): number[] {
  const found = readdirSync('/dev').flatMap((name) => /^nvidia(\d+)$/.exec(name)?.[1] ?? []);
  return found.map(Number).sort((a, b) => a - b);
}
