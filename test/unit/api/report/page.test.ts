// The report as a page: it needs nothing else, and nothing that a user wrote can become part of its markup or its scripts.
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { embeddedJson, html, verbatim } from '../../../../api/report/html.js';
import { makePageParts } from '../../../../api/report/library.js';
import { reportPage } from '../../../../api/report/page.js';
import { span, timeText, valueText } from '../../../../api/report/texts.js';
import { sweepReport, type SweepFacts } from '../../../../lib/sweeps/report/report.js';
import { ASHA, factsAfter, ID, manyTrials, MIXED, notBegun, NOW } from '../../sweeps/report/facts.js';

const parts = makePageParts();
const pageOf = async (facts: SweepFacts): Promise<string> => reportPage(sweepReport(facts, NOW), await parts());
/** What is between the tags of each script. */
const scriptsIn = (page: string): string[] => [...page.matchAll(/<script[^>]*>(.*?)<\/script>/gs)].map(([, text]) => text!);
const dataIn = (page: string) => JSON.parse(scriptsIn(page)[0]!) as { id: string; heightPx: number; option: Record<string, unknown> }[];
/** Without scripts, style and the policy. */
const markupOf = (page: string): string => page.replaceAll(/<(script|style)[^>]*>.*?<\/\1>/gs, '').replace(/<meta http-equiv[^>]*>/, '');
const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

describe('the page', () => {
  it('has a place for each plot that it carries, and the facts', async () => {
    const page = await pageOf(factsAfter(ASHA));
    const plots = dataIn(page);
    const markup = markupOf(page);
    expect(plots.map(({ id }) => id)).toEqual(['history', 'parallel', 'importance', 'rungs', 'curves', 'timeline', 'slice-0', 'slice-1', 'slice-2', 'slice-3']);
    for (const { id, heightPx } of plots) expect([id, page.split(`id="plot-${id}"`).length, heightPx > 100]).toEqual([id, 2, true]);
    expect(markup).toMatch(/<h1>mixed <span class="status">succeeded<\/span><\/h1>/);
    expect(markup).toContain(`${ID} · as of 2026-01-01 03:00:00 UTC`);
    expect(markup).toMatch(/best val_loss, to minimize<\/dt><dd class="value">[\d.]+<\/dd><dd>trial \d+<\/dd>/);
    expect(markup).toContain('<dd>40 of at most 40</dd>');
    expect(markup.split('<tr>').length - 1).toBe(41);
  });

  it('allows its own scripts and style, and asks nobody for anything', async () => {
    const page = await pageOf(factsAfter(MIXED));
    const { policy } = await parts();
    const [, library, script] = scriptsIn(page);
    expect(library!.includes('Apache Software Foundation')).toBe(true);
    const style = /<style>(.*?)<\/style>/s.exec(page)![1]!;
    expect(policy).toBe(`default-src 'none'; script-src ${hashOf(library!)} ${hashOf(script!)}; style-src ${hashOf(style)}; img-src data:; base-uri 'none'; form-action 'none'`);
    expect(page.includes(`<meta http-equiv="Content-Security-Policy" content="${policy.replaceAll("'", '&#39;')}">`)).toBe(true);
    const markup = markupOf(page);
    expect(markup).not.toMatch(/\b(src|href|action|srcset|poster)=|url\(|@import|\bstyle=|\bon\w+=/i);
    expect(style).not.toMatch(/url\(|@import/);
    // before everything that it is about
    expect(page.indexOf('http-equiv')).toBeLessThan(page.indexOf('<style>'));
  });

  it('is not changed by what names, choices and messages say', async () => {
    const evil = `</script><script>alert(1)</script><!-- "'><img src=x onerror=alert(1)> & \u2028 {b}`;
    const facts = factsAfter({ ...MIXED, name: evil, metric: { name: evil }, parameters: { 'a.b-c': { values: [evil, `${evil} too`] }, lr: { min: 0.1, max: 0.9 } } }, { value: (params) => params['lr'] as number });
    facts.whole.sweep.warnings = [{ param: evil, message: evil }];
    facts.whole.sweep.why = { [evil]: evil };
    const page = await pageOf(facts);
    const plain = await pageOf(factsAfter(MIXED));
    expect(page.match(/<\/?script/gi)).toEqual(plain.match(/<\/?script/gi));
    expect(page.match(/<\/?script/gi)).toHaveLength(6);
    expect(page.includes('<!--')).toBe(false);
    const markup = markupOf(page);
    expect(markup).not.toMatch(/<img|<script/);
    const escaped = '&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;!-- &quot;&#39;&gt;&lt;img src=x onerror=alert(1)&gt; &amp; \u2028 {b}';
    expect(markup).toContain(`<h1>${escaped} <span`);
    expect(markup).toContain(`<p class="notes warning">${escaped}: ${escaped}</p>`);
    expect(markup).toContain(`<td>${escaped}</td>`);
    // the data is whole: what is drawn is what was written
    const axis = (dataIn(page).find(({ id }) => id === 'parallel')!.option['parallelAxis'] as { data: string[] }[])[0]!;
    expect(axis.data).toEqual([`${evil.slice(0, 31)}…`, `${evil.slice(0, 31)}…`]);
    expect(JSON.stringify(dataIn(page))).toContain('</script>');
  });

  it('has a sentence where there is nothing to draw', async () => {
    const none = await pageOf(notBegun(MIXED));
    expect(dataIn(none)).toEqual([]);
    expect(markupOf(none)).toContain('There is nothing to draw yet: no trial has begun.');
    expect(markupOf(none)).toContain('no trial has a value yet');
    const failed = await pageOf(factsAfter(MIXED, { fails: () => true }));
    expect(dataIn(failed).map(({ id }) => id)).toEqual(['timeline']);
    expect(markupOf(failed)).toContain('No trial has a value: plots of values, parameters and importances need one.');
  });

  it('lists 1,000 of 10,000 trials, and says where all of them are', async () => {
    const page = await pageOf(manyTrials(ASHA, 10_000));
    expect(markupOf(page).split('<tr>').length - 1).toBe(1_001);
    expect(markupOf(page)).toContain(`1,000 of 10,000 trials are listed, the best; all of them: pawl sweep export ${ID}.`);
    expect(page.length).toBeLessThan(3_000_000);
  });

  it('reads the library once', async () => {
    const once = makePageParts();
    const [first, second] = await Promise.all([once(), once()]);
    expect(first).toBe(second);
    expect(await once()).toBe(first);
    expect(makePageParts()()).not.toBe(once());
  });
});

describe('markup', () => {
  it('escapes every text, and takes only our own as it is', () => {
    expect(html`<a title="${'"<&\'>'}">${[html`${1}`, html`${'<b>'}`]}${null}</a>`.markup).toBe('<a title="&quot;&lt;&amp;&#39;&gt;">1&lt;b&gt;</a>');
    for (const text of ['a </script>', 'a </STYLE >', '<!-- a']) expect(() => verbatim(text)).toThrow(TypeError);
    expect(embeddedJson({ a: '</script><!--' }).markup).toBe('{"a":"\\u003c/script>\\u003c!--"}');
  });
});

describe('texts', () => {
  it('are short', () => {
    expect([0.1234567, 1e-12, 12, 'adam', [8, 16], null, true].map(valueText)).toEqual(['0.123457', '1e-12', '12', 'adam', '[8,16]', 'null', 'true']);
    expect([0.1234, 45, 60, 200, 3_600, 18_120, 183_600].map(span)).toEqual(['0.123 s', '45 s', '1 min', '3 min 20 s', '1 h', '5 h 2 min', '2 d 3 h']);
    expect(timeText('2026-01-31T12:00:05.123Z')).toBe('2026-01-31 12:00:05 UTC');
  });
});
