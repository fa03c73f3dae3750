// Loaded before anything else into a process (`--import`): its wall clock is ahead by PAWL_TEST_CLOCK_AHEAD_MS. A trainer is not told, and
// is spared.
const aheadMs = Number(process.env['PAWL_TEST_CLOCK_AHEAD_MS'] ?? '0');
const RealDate = Date;
const now = () => RealDate.now() + aheadMs;

globalThis.Date = new Proxy(RealDate, {
  construct: (target, values, made) => Reflect.construct(target, values.length === 0 ? [now()] : values, made),
  get: (target, name, receiver) => (name === 'now' ? now : Reflect.get(target, name, receiver)),
});
