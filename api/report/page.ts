// A sweep's report as one page that needs nothing else: what it draws, and what draws it, are in it.
import type { SweepReport } from '../../lib/sweeps/report/report.js';
import { headOf } from './head.js';
import { embeddedJson, html, type Markup } from './html.js';
import type { PageParts } from './library.js';
import { plotsOf } from './plots/index.js';
import type { Plot } from './plots/plot.js';
import { trialTable } from './trial-table.js';

export function reportPage(report: SweepReport, { library, script, style, policy }: PageParts): string {
  const { whole, slices } = plotsOf(report);
  const all = [...whole, ...slices];
  const none = all.length > 0 ? null : html`<section><p class="notes">${report.sweep.is_terminal ? 'There is nothing to draw: no trial began.' : 'There is nothing to draw yet: no trial has begun.'}</p></section>`;
  const noValue = all.length === 0 || report.window !== null ? null : html`<section><p class="notes">No trial has a value${report.sweep.is_terminal ? '' : ' yet'}: plots of values, parameters and importances need one.</p></section>`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${report.sweep.name ?? report.sweep.id} · sweep</title>
<style>${style}</style>
</head>
<body>
<main>
${headOf(report)}
<noscript><section>Plots are drawn by a script, which is in this page; the table needs none.</section></noscript>
${none}${noValue}
${whole.filter(({ id }) => BEFORE_SLICES.includes(id)).map(sectionOf)}
${slices.length === 0 ? null : html`<section><h2>Slices</h2><p class="notes">${sliceNotes(report)}</p><div class="slices">${slices.map((plot) => html`<div><h3>${plot.title}</h3>${drawnIn(plot)}</div>`)}</div></section>`}
${whole.filter(({ id }) => !BEFORE_SLICES.includes(id)).map(sectionOf)}
${trialTable(report)}
</main>
<footer>Plots by Apache ECharts, under the Apache License 2.0. This page asks no other place for anything.</footer>
<script type="application/json" id="plots">${embeddedJson(all.map(({ id, heightPx, option }) => ({ id, heightPx, option })))}</script>
<script>${library}</script>
<script>${script}</script>
</body>
</html>
`.markup;
}

const BEFORE_SLICES: readonly string[] = ['history', 'parallel', 'importance'];

const sectionOf = (plot: Plot): Markup => html`<section><h2>${plot.title}</h2>${drawnIn(plot)}</section>`;
const drawnIn = ({ id, title, notes }: Plot): Markup => html`${notes.length === 0 ? null : html`<p class="notes">${notes.join(' ')}</p>`}<div class="plot" id="plot-${id}" role="img" aria-label="${title}"></div>`;

function sliceNotes({ slicesShare: { shown, of } }: SweepReport): string {
  const cut = shown === of ? '' : ` ${shown} of ${of} parameters are drawn, the most important.`;
  return `The value against each parameter by itself; later trials are stronger in colour.${cut}`;
}
