// The trials as a table, the best first.
import type { Trial } from '../../lib/contract/sweep-views.js';
import type { SweepReport } from '../../lib/sweeps/report/report.js';
import { html, type Markup } from './html.js';
import { span, timeText, valueText } from './texts.js';

export function trialTable({ table: { columns, rows, share }, metric, resource, sweep }: SweepReport): Markup {
  const cut = share.shown === share.of ? '' : ` ${share.shown.toLocaleString('en-US')} of ${share.of.toLocaleString('en-US')} trials are listed, the best; all of them: pawl sweep export ${sweep.id}.`;
  // Without rungs a value is of a trial's end.
  const hasSteps = rows.some(({ values }) => values.length > 0);
  if (rows.length === 0) return html`<section><h2>Trials</h2><p class="notes">None has begun.</p></section>`;
  return html`<section><h2>Trials</h2><p class="notes">Those that ran to their end first, and the best of them on top.${cut}</p>
<div class="scroll"><table><thead><tr><th class="number">trial</th><th>status</th><th class="number">${metric}</th>${hasSteps ? html`<th class="number">${resource}</th>` : null}${columns.map((name) => html`<th>${name}</th>`)}<th>began</th><th>took</th><th>job</th></tr></thead>
<tbody>${rows.map((trial) => rowOf(trial, columns, hasSteps))}</tbody></table></div></section>`;
}

function rowOf({ number, status, value, values, params, started_at, ended_at, job_id }: Trial, columns: readonly string[], hasSteps: boolean): Markup {
  const took = ended_at === null ? '' : span((Date.parse(ended_at) - Date.parse(started_at)) / 1_000);
  return html`<tr><td class="number">${number}</td><td>${status}</td><td class="number">${value === null ? '–' : valueText(value)}</td>${hasSteps ? html`<td class="number">${values.at(-1)?.step ?? ''}</td>` : null}${columns.map((name) => html`<td>${Object.hasOwn(params, name) ? valueText(params[name]) : ''}</td>`)}<td>${timeText(started_at)}</td><td>${took}</td><td>${job_id ?? ''}</td></tr>
`;
}
