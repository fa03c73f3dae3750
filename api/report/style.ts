// The looks of the page.

export const PAGE_STYLE = `
:root { color-scheme: light dark; --ground: #f5f6f8; --card: #ffffff; --text: #1f2530; --soft: #667085; --line: #e3e6eb; --accent: #d6457b; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171c; --card: #1c2027; --text: #e4e7ec; --soft: #98a2b3; --line: #2e343e; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 28px 20px 48px; background: var(--ground); color: var(--text); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main, footer { max-width: 1160px; margin: 0 auto; }
header { margin-bottom: 20px; }
h1 { margin: 0; font-size: 26px; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 0 0 2px; font-size: 17px; }
h3 { margin: 0; font-size: 14px; overflow-wrap: anywhere; }
.soft, .notes, footer { color: var(--soft); }
.notes { margin: 0 0 10px; font-size: 13px; max-width: 80ch; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 18px 20px; margin-bottom: 16px; }
.status { display: inline-block; padding: 1px 10px; border: 1px solid currentColor; border-radius: 999px; font-size: 13px; vertical-align: 3px; margin-left: 6px; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(210px, 1fr)); gap: 12px 24px; margin: 0; }
.facts dt { color: var(--soft); font-size: 13px; }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.facts .value { font-size: 24px; line-height: 1.2; color: var(--accent); font-variant-numeric: tabular-nums; }
.params { font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.plot { width: 100%; min-height: 120px; }
.slices { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 20px; }
.slices > div { min-width: 0; }
.scroll { overflow-x: auto; max-height: 640px; overflow-y: auto; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; width: 100%; }
th, td { text-align: left; padding: 4px 14px 4px 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { position: sticky; top: 0; background: var(--card); color: var(--soft); font-weight: 500; }
td.number, th.number { text-align: right; }
.warning { margin: 6px 0 0; }
footer { font-size: 13px; }
@media print { body { background: none; padding: 0; } section { break-inside: avoid; } .scroll { max-height: none; } }
`;
