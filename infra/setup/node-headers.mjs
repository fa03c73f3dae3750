// Node-API's C headers for compiling an addon: those that came with Node.js, else the npm package that carries only them.
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { mustRun } from './run.mjs';
import { say } from './say.mjs';

/**
 * Any copy will do: Node-API is the same C interface in every Node.js.
 * @param {string} temporary a folder that lives as long as the compilation
 */
export async function findNodeHeaders(temporary) {
  const prefixes = [dirname(dirname(realpathSync(process.execPath))), process.env.npm_config_nodedir, '/usr', '/usr/local'];
  for (const prefix of prefixes) {
    if (prefix && existsSync(join(prefix, 'include/node/node_api.h'))) return join(prefix, 'include/node');
  }
  say('tfjs-node-gpu: this Node.js came without its C headers; fetching the npm package node-api-headers');
  await mustRun(
    'This Node.js came without its C headers, and npm could not fetch the package node-api-headers.',
    'Install Node.js from its own archive, or its headers (on Debian: apt-get install libnode-dev), and run this again.',
    'npm',
    ['install', '--prefix', temporary, '--ignore-scripts', '--no-save', '--no-audit', '--no-fund', 'node-api-headers@1.5.0'],
    { cwd: temporary },
  );
  return join(temporary, 'node_modules/node-api-headers/include');
}
