// The plotting library as the text that goes into pages: read from its package when the first page is asked for, and kept.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { type Markup, verbatim } from './html.js';
import { PAGE_SCRIPT } from './script.js';
import { PAGE_STYLE } from './style.js';

/** What every page has: its scripts and its style, and the policy that allows these and nothing else. */
export interface PageParts {
  library: Markup;
  script: Markup;
  style: Markup;
  /** A Content-Security-Policy, as far as a page itself can say it. */
  policy: string;
}

const FILE = 'echarts/dist/echarts.min.js';

/** Reads once, however many ask; again if that failed. */
export function makePageParts(): () => Promise<PageParts> {
  let parts: Promise<PageParts> | null = null;
  return () => {
    parts ??= readParts().catch((error: unknown) => {
      parts = null;
      throw error;
    });
    return parts;
  };
}

async function readParts(): Promise<PageParts> {
  const text = await readFile(createRequire(import.meta.url).resolve(FILE), 'utf8');
  const scripts = [text, PAGE_SCRIPT].map(hashOf).join(' ');
  return {
    library: verbatim(text),
    script: verbatim(PAGE_SCRIPT),
    style: verbatim(PAGE_STYLE),
    // The images are those that the library draws.
    policy: `default-src 'none'; script-src ${scripts}; style-src ${hashOf(PAGE_STYLE)}; img-src data:; base-uri 'none'; form-action 'none'`,
  };
}

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
