// Which Node.js this project runs on.
import { SetupError } from './say.mjs';

export function checkNodeVersion(version = process.versions.node) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if ((major === 20 && minor >= 19) || (major === 22 && minor >= 13)) return;
  // tfjs-node 4.22 calls util.isNullOrUndefined and util.isArray, which Node 23 removed.
  const why = major >= 23 ? ' (the TensorFlow binding does not load on Node.js 23 and newer)' : '';
  throw new SetupError(
    `Pawl needs Node.js 20.19 or newer of 20, or 22.13 or newer of 22; this is ${version}${why}.`,
    'Install Node.js 22 and run this again.',
  );
}
