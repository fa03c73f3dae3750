// Loaded before anything else into each process of a run (`--import`): lets its wall clock jump when it is told to, as when somebody
// sets it. Time that only goes forward (performance.now, timers) is left alone, as it is by the system.
let aheadMs = 0;
const RealDate = Date;
const now = (): number => RealDate.now() + aheadMs;

globalThis.Date = new Proxy(RealDate, {
  construct: (target, values, made) => Reflect.construct(target, values.length === 0 ? [now()] : values, made) as Date,
  apply: (target) => new target(now()).toString(),
  get: (target, name, receiver) => (name === 'now' ? now : (Reflect.get(target, name, receiver) as unknown)),
});

// Not in a trainer, which would lose what is said to it before it listens: no clock there decides anything.
if (process.env['PAWL_CHAOS_PART']) {
  process.on('message', (message: { type?: string; aheadMs?: number }) => {
    if (message.type === 'clock') aheadMs = message.aheadMs ?? 0;
  });
}
