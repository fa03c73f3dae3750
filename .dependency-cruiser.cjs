// Who may import whom. A folder's place is its row here; `npm run check` fails on anything else, on cycles, and on an
// import that leads nowhere. Imports of types count like all others.

/** lib, from the bottom up: a row may import its own row and those above it in this list. */
const libFromTheBottom = [
  ['contract', 'wasm', 'errors\\.ts', 'clock\\.ts', 'log\\.ts', 'config\\.ts', 'control-groups\\.ts', 'process-cores\\.ts', 'process-memory\\.ts', 'start-up\\.ts', 'sha256\\.ts', 'derived-id\\.ts'],
  ['model', 'training', 'data'],
  ['store'],
  ['checkpoints'],
  ['queue'],
  ['jobs'],
  ['sweeps', 'schedules'],
];

/** Files whose results follow from their arguments alone. */
const pure = [
  '^lib/(contract|wasm|model|training)/',
  '^lib/jobs/(lifecycle|verbs|status)\\.ts$',
  '^lib/checkpoints/(retention|segments|safetensors-header)\\.ts$',
  '^lib/sweeps/(?!(log|drive|admission|submit|control|access|listing|external|decider|decide-thread)\\.ts$)',
  '^lib/schedules/(zone|next|overlap|catch-up|decide|names|resolve|view|due-heap)\\.ts$',
];

const under = (folders) => `^lib/(${folders.map((name) => (name.endsWith('.ts') ? `${name}$` : `${name}/`)).join('|')})`;

const libOrder = libFromTheBottom.slice(0, -1).map((row, index) => ({
  name: `lib-order-${row[0]}`,
  comment: `In lib, ${row.join(', ')} must not import what stands on them.`,
  severity: 'error',
  from: { path: under(row) },
  to: { path: under(libFromTheBottom.slice(index + 1).flat()) },
}));

const forbid = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

/** A package with one home: nobody else imports it, whatever it brings along (subpaths, scopes). Tests may. */
const onlyIn = (home, comment, packages) =>
  forbid(
    `only-in-${home.replace(/[\\^$]/g, '').replace(/\W+/g, '-').replace(/-$/, '')}`,
    comment,
    { path: '^(api|worker|lib|infra)/.*\\.ts$', pathNot: home },
    { path: `(^|node_modules/)(${packages.join('|')})(/|$)` },
  );

module.exports = {
  forbidden: [
    forbid('no-cycles', 'Files that need each other are one file, or need a third.', {}, { circular: true }),
    forbid('no-dead-ends', 'An import must lead somewhere.', {}, { couldNotResolve: true }),

    forbid('lib-alone', 'lib serves api and worker and knows neither.', { path: '^lib/' }, { path: '^(api|worker|infra|test)/' }),
    forbid('api-on-lib', 'api meets worker only through Redis and the store.', { path: '^api/' }, { path: '^(worker|infra|test)/' }),
    forbid('worker-on-lib', 'worker meets api only through Redis and the store.', { path: '^worker/' }, { path: '^(api|infra|test)/' }),
    forbid(
      'demo-as-a-client',
      'The demo is a user: it has the client and lib.',
      { path: '^infra/' },
      { path: '^(worker|test)/|^api/(?!client\\.ts$)' },
    ),

    forbid(
      'trainer-apart',
      'The trainer is another process; the supervisor and the controller meet it in protocol.ts only.',
      { path: '^worker/(?!trainer/)' },
      { path: '^worker/trainer/' },
    ),
    forbid(
      'trainer-narrow',
      'The trainer knows tensors: no queue, no Redis, no S3, no clock of its own.',
      { path: '^worker/trainer/' },
      {
        path: '^(worker|lib)/',
        pathNot:
          '^worker/(trainer/|protocol\\.ts$)|^lib/((contract|wasm|model|data|training)/|errors\\.ts$|process-(cores|memory)\\.ts$|checkpoints/safetensors[^/]*\\.ts$)',
      },
    ),
    forbid(
      'trainer-narrow-by-detours',
      'Not by way of another file either.',
      { path: '^worker/trainer/' },
      { path: '^lib/(store|queue|jobs|sweeps|schedules)/', reachable: true },
    ),
    forbid(
      'protocol-narrow',
      'Both sides load protocol.ts: it may bring neither side along.',
      { path: '^worker/protocol\\.ts$' },
      { pathNot: '^lib/((contract|wasm|model|data|training)/|errors\\.ts$)' },
    ),
    forbid(
      'supervisor-not-controller',
      'One runs attempts, the other watches all of them.',
      { path: '^worker/supervisor/' },
      { path: '^worker/controller/' },
    ),
    forbid(
      'controller-not-supervisor',
      'One runs attempts, the other watches all of them.',
      { path: '^worker/controller/' },
      { path: '^worker/supervisor/' },
    ),

    ...libOrder,
    forbid(
      'pure-in-itself',
      'A pure file has no clock, no configuration, no log and no storage.',
      { path: pure },
      { path: '^lib/(clock|log|config)\\.ts$|^lib/(store|queue)/' },
    ),
    forbid(
      'pure-no-world',
      'A pure file reads and writes nothing; hashing (node:crypto) is arithmetic.',
      { path: pure },
      {
        path: '^(node:)?(fs|net|tls|dgram|dns|http|http2|https|child_process|cluster|worker_threads|timers|os|process|perf_hooks|readline)(/|$)',
        dependencyTypes: ['core'],
      },
    ),

    onlyIn('^lib/queue/', 'Every BullMQ and Redis detail is in lib/queue.', ['bullmq', 'ioredis', 'redis']),
    onlyIn('^lib/store/s3(-client|-conditional|-objects|-parts)?\\.ts$', 'The S3 SDK is in the S3 files of lib/store.', ['@aws-sdk', '@smithy']),
    onlyIn('^worker/trainer/', 'Tensors are in the trainer; nothing else loads TensorFlow.', ['@tensorflow']),
    onlyIn('^lib/schedules/', 'When a schedule fires is asked in lib/schedules.', ['croner']),
    onlyIn('^api/report/', 'Plots of pages are drawn in api/report.', ['echarts', 'zrender']),
    forbid('plots-are-data', 'Who reads a report runs the plotting library; the API only hands it on.', { path: '^(api|worker|lib|infra)/.*\\.ts$' }, { path: '(^|node_modules/)(echarts|zrender)(/|$)', dependencyTypesNot: ['type-only'] }),
    onlyIn('^api/cli/', 'Charts of characters are drawn in api/cli.', ['simple-ascii-chart']),
    onlyIn('^api/', 'HTTP is in api.', ['fastify', '@fastify']),
    forbid(
      'no-tools-at-run-time',
      'What runs needs no development dependency.',
      { path: '^(api|worker|lib|infra)/.*\\.ts$' },
      { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    ),
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'node', 'default'] },
  },
};
