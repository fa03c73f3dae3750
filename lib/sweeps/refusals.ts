// Why parameters make no valid job. A space of which little is valid asks that of the same combinations again and again, at every event
// until its trial has begun: what was found out is remembered. Pure, seen from outside.
import type { JobSpecInput } from '../contract/spec.js';
import { makeRecent } from '../jobs/recent.js';
import { resolveSpec } from '../jobs/spec/resolve.js';
import { canonicalJson } from '../training/canonical-json.js';
import type { Params } from './dimension.js';
import { applyParams, type JobTemplate } from './paths.js';

/** Combinations that are remembered, those that were asked for last. */
const REMEMBERED = 10_000;

/** Null: they do make one. */
export type RefusalOf = (params: Params) => string | null;

/** @param template null: trials are no jobs, and all are valid */
export const refusals = (template: JobTemplate | null): RefusalOf => (template === null ? () => null : remembered((params) => refusalOf(applyParams(template, params))));

function refusalOf(job: JobSpecInput): string | null {
  const resolution = resolveSpec(job);
  const [first] = 'problems' in resolution ? resolution.problems : [];
  return first ? `${first.param} ${first.message}` : null;
}

export function remembered(refusal: RefusalOf, most = REMEMBERED): RefusalOf {
  const known = makeRecent<{ refused: string | null }>(most);
  return (params) => {
    const key = canonicalJson(params);
    const before = known.get(key);
    if (before) return before.refused;
    const refused = refusal(params);
    known.set(key, { refused });
    return refused;
  };
}
