// The forked process: loads the engine and serves attempts until its supervisor goes away. It never ends by a signal
// for the whole process group (Ctrl-C, SIGTERM): the supervisor decides.
import { loadEngine } from './engines/load.js';
import { serve } from './serve.js';
import { unsavedMsOf } from './unsaved.js';

if (process.send === undefined) {
  console.error('a trainer is forked by its worker and not started by hand');
  process.exit(2);
}
process.on('SIGTERM', () => undefined);
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));

const trainer = serve(
  {
    // a supervisor that is gone is noticed by `disconnect`
    send: (message) => void process.send?.(message, () => undefined),
    onMessage: (listener) => void process.on('message', listener),
  },
  { engine: loadEngine(process.env, (message) => console.error(message)), unsavedMs: unsavedMsOf(process.env) },
);
process.on('uncaughtException', (error) => {
  const message = trainer.crashed(error);
  console.error(error);
  if (message === null) process.exit(1);
  process.send?.(message, () => process.exit(1));
});
