// The report as something that is made of a sweep's log: here, or in the thread for sweeps.
import { type Maker, type OutsideFacts, wholeSweep } from '../../lib/sweeps/makers.js';
import { sweepReport } from '../../lib/sweeps/report/report.js';
import { importanceView } from '../../lib/sweeps/view.js';
import { makePageParts } from './library.js';
import { reportPage } from './page.js';

/** A page, and the policy that it says it has. */
export interface MadeReport {
  page: Uint8Array;
  policy: string;
}

const pageParts = makePageParts();

export const REPORT: Maker<OutsideFacts, MadeReport> = {
  name: 'report',
  weight: 5,
  make: async (sweep, facts) => {
    const { rules, state } = sweep;
    const parts = await pageParts();
    const report = sweepReport({ space: rules.space, whole: wholeSweep(sweep, facts), importance: importanceView(rules.spec, rules.space, state) }, facts.at);
    return { page: new TextEncoder().encode(reportPage(report, parts)), policy: parts.policy };
  },
};
