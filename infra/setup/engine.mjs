// What jobs of this checkout will run on: TensorFlow, or the engine wasm where this machine cannot have it.
import { checkAddonCanBeMade, setUpAddon } from './addon.mjs';
import { libraryName, rememberBuild, setUpLibrary } from './libtensorflow.mjs';
import { say, UnavailableError } from './say.mjs';

/**
 * What jobs will run on, for people. Where TensorFlow cannot be had, and nobody asked for it by name, that is the engine
 * that needs nothing but Node.js.
 * @param {string} root the checkout @param {import('./libtensorflow.mjs').Build} build @param {import('./libtensorflow.mjs').Build | null} asked
 */
export async function setUpEngine(root, build, asked) {
  try {
    checkAddonCanBeMade(root, build);
    await setUpLibrary(build);
    await setUpAddon(root, build, asked === 'cuda');
    if (asked) rememberBuild(asked);
    return libraryName(build);
  } catch (error) {
    if (!(error instanceof UnavailableError) || asked || build !== 'cpu') throw error;
    say(`*** NO TENSORFLOW: jobs run on the engine wasm, several times slower. ${error.message} ***`);
    return 'engine wasm, without TensorFlow';
  }
}
