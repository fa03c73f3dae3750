// What the compiler does not check: promises left alone, switches that forget a case, and the project's own rules on
// where the environment, the clock and chance may be read. Nothing about formatting.
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** Files whose results follow from their arguments alone; the same as in .dependency-cruiser.cjs. */
const pure = [
  'lib/contract/**',
  'lib/model/**',
  'lib/training/**',
  'lib/jobs/lifecycle.ts',
  'lib/jobs/verbs.ts',
  'lib/jobs/status.ts',
  'lib/checkpoints/{retention,segments,safetensors-header}.ts',
  'lib/sweeps/{decide,dimension,distributions,edges,events,importance,ladder,paths,resolve,space,state,suggest}.ts',
  'lib/sweeps/{samplers,stoppers,report}/**',
  'lib/schedules/{zone,next,overlap,catch-up,decide,names,resolve,view,due-heap}.ts',
];

const noDefaultExport = {
  selector: 'ExportDefaultDeclaration',
  message: 'Export by name: one name for one thing, everywhere.',
};
const noEnvironment = [
  {
    selector: "MemberExpression[object.name='process'][property.name='env']",
    message: 'The environment is read in main.ts and passed on as configuration.',
  },
  {
    selector: "ImportDeclaration[source.value=/^(node:)?process$/]",
    message: 'Use the global process; its environment is read in main.ts.',
  },
];
const noClockOrChance = [
  {
    selector: "MemberExpression[object.name='Math'][property.name='random']",
    message: 'Chance comes from lib/training/random.ts, keyed by the seed.',
  },
  {
    selector: "MemberExpression[object.name='Date'][property.name='now']",
    message: 'A pure file is told the time.',
  },
  {
    selector: "NewExpression[callee.name='Date'][arguments.length=0], CallExpression[callee.name='Date']",
    message: 'A pure file is told the time.',
  },
  {
    selector: "ImportSpecifier[imported.name=/^(randomBytes|randomInt|randomUUID|randomFill|randomFillSync|webcrypto)$/]",
    message: 'Chance comes from lib/training/random.ts, keyed by the seed.',
  },
];
const restrict = (...rules) => ({ 'no-restricted-syntax': ['error', ...rules.flat()] });

export default defineConfig(
  globalIgnores(['dist/', 'node_modules/', '.pawl/', '.bench/', 'coverage/', 'docs/', 'test/fixtures/']),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    name: 'everything',
    files: ['**/*.{ts,mjs,cjs}'],
    rules: {
      eqeqeq: ['error', 'always'],
      'no-var': 'error',
      'prefer-const': 'error',
      'no-constant-condition': ['error', { checkLoops: 'allExceptWhileTrue' }],
      'no-dupe-keys': 'error',
      'no-self-assign': 'error',
      'no-unreachable': 'error',
      'no-unsafe-finally': 'error',
      'no-debugger': 'error',
      'use-isnan': 'error',
    },
  },
  {
    name: 'scripts',
    files: ['**/*.{mjs,cjs}'],
    rules: { 'no-unused-vars': 'error', 'no-use-before-define': ['error', { functions: false, variables: false }] },
  },
  {
    name: 'typescript',
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      ...restrict(noDefaultExport, noEnvironment),
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/no-floating-promises': ['error', { ignoreVoid: true }],
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true }],
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: false, requireDefaultForNonUnion: false },
      ],
      // A driver's method is async because its interface says so, whether or not this one waits.
      '@typescript-eslint/require-await': 'off',
      // Our objects are closures without `this`; taking a function out of one is the idiom here.
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
    },
  },
  {
    name: 'pure files',
    files: pure,
    rules: {
      ...restrict(noDefaultExport, noEnvironment, noClockOrChance),
      'no-restricted-globals': ['error', 'process', 'performance', 'fetch', 'setTimeout', 'setInterval', 'setImmediate', 'crypto'],
    },
  },
  { name: 'where the environment is read', files: ['**/main.ts', 'infra/**/*.ts'], rules: restrict(noDefaultExport) },
  {
    name: 'tests',
    files: ['test/**/*.ts'],
    rules: {
      ...restrict(noDefaultExport),
      // Answers parsed from JSON are looked at with assertions, which say more than a type would.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      // Faults are replayed as they were caught.
      '@typescript-eslint/only-throw-error': 'off',
    },
  },
  { name: 'files that a tool loads by its default export', files: ['*.config.ts'], rules: restrict(noEnvironment) },
);
