// Which GPUs the lanes of one job are spread over.

/**
 * TensorFlow's names of the GPUs that a process sees, if it sees several and all of the machine are of one model: lanes on
 * unlike ones would make the bits depend on the lane. Else none, and TensorFlow uses the first.
 * @param models of the machine's GPUs
 * @param visible CUDA_VISIBLE_DEVICES; without it a process sees all. It ends at the first that is not there: `0,-1,1` is `0`
 */
export function alikeGpus(models: readonly string[], visible: string | undefined): string[] {
  const listed = visible?.split(',').map((device) => device.trim()) ?? models;
  const end = listed.findIndex((device) => device === '' || device.startsWith('-'));
  const count = Math.min(end < 0 ? listed.length : end, models.length);
  const slices = visible?.includes('MIG') ?? false;
  return count < 2 || slices || new Set(models).size > 1 ? [] : Array.from({ length: count }, (_, index) => `/device:GPU:${index}`);
}
