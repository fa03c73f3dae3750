// HTML from templates in which every text is escaped, and data that a page carries along as JSON.

/** Markup that may go into other markup as it is. */
export interface Markup {
  readonly markup: string;
}
type Part = Markup | readonly Markup[] | string | number | null;

/** Texts may stand between tags and in quoted attributes. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return { markup: strings.reduce((text, next, index) => `${text}${textOf(parts[index - 1]!)}${next}`) };
}

/** Markup, of a text that is certainly ours: a script, a style. It must not end the element that it is put into. */
export function verbatim(text: string): Markup {
  if (/<\/(script|style)|<!--/i.test(text)) throw new TypeError('a text that ends its element, or begins a comment, cannot stand in a page as it is');
  return { markup: text };
}

/** Inside a script element nothing but `<` can end it, or begin a comment. */
export const embeddedJson = (data: unknown): Markup => ({ markup: JSON.stringify(data).replaceAll('<', '\\u003c') });

function textOf(part: Part): string {
  if (part === null) return '';
  if (typeof part === 'object') return 'markup' in part ? part.markup : part.map(({ markup }) => markup).join('');
  return String(part).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;');
}
