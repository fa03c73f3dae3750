// The head of the page: what was searched, how far it is, what came of it.
import type { Sweep } from '../../lib/contract/sweep-views.js';
import type { SweepReport } from '../../lib/sweeps/report/report.js';
import { html, type Markup } from './html.js';
import { span, timeText, valueText } from './texts.js';

export function headOf({ sweep, goal, metric, at }: SweepReport): Markup {
  const { spec, counts, best, why } = sweep;
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const some = Object.entries(counts).filter(([, count]) => count > 0).map(([status, count]) => `${count} ${status}`);
  const rule = spec.early_terminate;
  return html`<header><h1>${sweep.name ?? sweep.id} <span class="status">${sweep.status}</span></h1>
<div class="soft">${sweep.id} · as of ${timeText(at)}</div></header>
<section><dl class="facts">
<div><dt>best ${metric}, to ${goal}</dt><dd class="value">${best === null ? '–' : valueText(best.value)}</dd><dd>${best === null ? 'no trial has a value yet' : `trial ${best.trial_id.slice(sweep.id.length + 1)}`}</dd></div>
${best === null ? null : html`<div><dt>its parameters</dt>${Object.entries(best.params).map(([name, value]) => html`<dd class="params">${name} = ${valueText(value)}</dd>`)}</div>`}
${fact('trials', `${all}${spec.run_cap === null ? '' : ` of at most ${spec.run_cap}`}`, some.length === 0 ? 'none has begun' : some.join(', '))}
${fact('method', spec.method, rule.type === 'none' ? 'every trial runs to its end' : `stopped early by ${rule.type}`)}
${fact('began', timeText(sweep.created_at), sweep.finished_at === null ? '' : `ended ${timeText(sweep.finished_at)}`)}
${why === null ? null : fact('ended by', Object.entries(why).map(([name, value]) => `${name}: ${valueText(value)}`).join(', '))}
${budgetFacts(sweep)}
</dl>
${sweep.warnings.map(({ param, message }) => html`<p class="notes warning">${param}: ${message}</p>`)}</section>`;
}

/** What was spent, of what there was. */
function budgetFacts({ budget: { spent, limits } }: Sweep): Markup[] {
  const of = (limit: number | null): string => (limit === null ? 'no limit' : `of ${span(limit)}`);
  return [
    fact('training time', span(spent.compute_seconds), of(limits.compute_seconds)),
    fact('wall clock', span(spent.wall_clock), of(limits.wall_clock)),
    ...(limits.max_failed === null ? [] : [fact('failed trials', String(spent.failed), `of at most ${limits.max_failed}`)]),
    ...(limits.max_concurrent === null ? [] : [fact('at a time', `at most ${limits.max_concurrent} trials`)]),
  ];
}

const fact = (name: string, text: string, more = ''): Markup => html`<div><dt>${name}</dt><dd>${text}</dd>${more === '' ? null : html`<dd class="soft">${more}</dd>`}</div>`;
