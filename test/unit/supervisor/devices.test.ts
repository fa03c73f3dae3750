import { expect, test } from 'vitest';
import { isAppError } from '../../../lib/errors.js';
import { chooseDevices } from '../../../worker/supervisor/devices.js';
import { trainerEnvironment } from '../../../worker/trainer-environment.js';

test.each<[string, string, string | undefined, number[], string[]]>([
  ['all of the machine', 'all', undefined, [0, 1, 2], ['0', '1', '2']],
  ['all that are visible', 'all', '2, 0', [0, 1, 2], ['2', '0']],
  ['all that are visible, by identifier', 'all', 'GPU-5ebe9f43,MIG-3eb87630/1/0', [0], ['GPU-5ebe9f43', 'MIG-3eb87630/1/0']],
  ['some, in the order given', '2,0', undefined, [0, 1, 2], ['2', '0']],
  ['one that only the driver knows by name', 'GPU-5ebe9f43', undefined, [0], ['GPU-5ebe9f43']],
])('takes %s', (_, wanted, visible, present, expected) => {
  expect(chooseDevices(wanted, { CUDA_VISIBLE_DEVICES: visible }, present)).toEqual(expected);
});

test.each<[string, string, string | undefined, number[], RegExp]>([
  ['all of none', 'all', undefined, [], /no NVIDIA GPU here \(no \/dev\/nvidia0\)/],
  ['all where they are hidden', 'all', '', [0], /CUDA_VISIBLE_DEVICES is ""/],
  ['all where they are hidden by -1', 'all', '-1', [0], /such as 0,1, not "-1"/],
  ['nothing', ',', undefined, [0], /such as 0,1$/],
  ['another word', 'gpu0', undefined, [0], /not "gpu0"/],
  ['one twice', '0,0', undefined, [0], /named twice/],
  ['one that is not there', '0,3', undefined, [0, 1], /there is no GPU 3 here, only 0, 1/],
  ['one that is hidden', '0', '1', [0, 1], /there is no GPU 0 here, only 1/],
])('refuses %s', (_, wanted, visible, present, message) => {
  try {
    chooseDevices(wanted, { CUDA_VISIBLE_DEVICES: visible }, present);
    expect.fail('accepted');
  } catch (error) {
    if (!isAppError(error, 'invalid_request')) throw error;
    expect(error.message).toMatch(message);
    expect(error.message).toContain(`--devices ${wanted}: `);
  }
});

test('a trainer sees its GPU alone', () => {
  const setup = { engine: 'auto', intraOpThreads: 1, interOpThreads: 1 } as const;
  expect(trainerEnvironment({ ...setup, gpu: '3' })).toMatchObject({ CUDA_VISIBLE_DEVICES: '3', CUDA_DEVICE_ORDER: 'PCI_BUS_ID' });
  expect(trainerEnvironment({ ...setup, gpu: null })).not.toHaveProperty('CUDA_VISIBLE_DEVICES');
});
