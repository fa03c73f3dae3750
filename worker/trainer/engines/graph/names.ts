// What a job's graph (job-graph.ts) is fed, and what is fetched from it, by name.
export type Start = 'empty' | 'open';
export type End = 'keep' | 'update';

/** Names of feeds. `body` is a number, `r<samples>` for a ragged micro-batch, or `<window>_<number>` in a chain. */
export const feeds = {
  x: (body: string) => `x${body}`,
  y: (body: string) => `y${body}`,
  mask: (body: string, index: number) => `mask${body}_${index}`,
  /** [share, weight] of every layer with statistics, flat: mergeFactors onto the window before this micro-batch. */
  merge: (body: string) => `merge${body}`,
  /** stepNumbers, then the divisor, then the count of every layer with statistics. */
  numbers: (window: number | null) => (window === null ? 'numbers' : `numbers${window}`),
  restore: (name: string) => `restore/${name}`,
};
/**
 * Names of fetches. A block's row: of each micro-batch the columns of columnsOf, then Σx²/2 of each weight's gradient so
 * far, Σm2 of each layer, at an update the figures of prepareGradients if there are any, and 1 or 0: all of it is finite.
 */
export const fetches = {
  block: (start: Start, count: number, end: End) => `row/${start}/${count}/${end}`,
  ragged: (start: Start, samples: number, end: End) => `row/${start}/r${samples}/${end}`,
  /** The rows of its windows, one after another. From the first that is not finite on, none changes anything. */
  chain: (windows: number) => `row/chain/${windows}`,
  evaluate: (samples: number) => `row/evaluate/${samples}`,
  restore: (part: string) => `restored/${part}`,
};
