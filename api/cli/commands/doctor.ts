// `pawl doctor`: whether this machine can run Pawl as it is configured, and what to type where it cannot.
import type { Finding } from '../diagnosis/index.js';
import { type AddCommands, EXIT, withExamples } from '../context.js';
import { clean, plural } from '../render.js';

export const addDoctor: AddCommands = (program, context) => {
  const doctor = program
    .command('doctor')
    .description('check this machine: Node.js, settings, folders, Redis, the store, the API, the engines and their speed, the GPU')
    .option('--json', 'print the findings as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      // what it looks with is most of Pawl, and no other command waits for it
      const { diagnose } = await import('../diagnosis/index.js');
      const findings = await diagnose({ env: context.env, cwd: process.cwd(), tell: (found) => !json && found.forEach((finding) => linesOf(finding).forEach(context.out)) });
      const errors = findings.filter(({ level }) => level === 'error').length;
      if (json) context.out(JSON.stringify({ object: 'diagnosis', healthy: errors === 0, findings }));
      else context.out(errors === 0 ? 'Jobs can run here.' : `${plural(errors, 'thing')} to mend before jobs can run here.`);
      if (errors > 0) context.exit(EXIT.failed);
    });
  withExamples(doctor, ['pawl doctor', 'PAWL_STORE=s3://bucket/prefix pawl doctor --json'], 'It looks at the machine as the environment configures it. Exit code 1 if something keeps jobs from running; warnings do not.');
};

function linesOf({ about, level, message, fix }: Finding): string[] {
  const indent = ' '.repeat(21);
  const [first = '', ...more] = message.trim().split('\n').map(clean);
  return [`${level.padEnd(8)} ${about.padEnd(11)} ${first}`, ...more.map((line) => `${indent}${line}`), ...(fix === null ? [] : [`${indent}→ ${fix}`])];
}
