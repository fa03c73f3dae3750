// What set-up tells the person in front of it: lines as it goes, a counter while something is fetched, and the one kind
// of failure it has, which always carries its remedy.

const terminal = process.stdout.isTTY === true;

/** An expected failure: what is wrong and what to do about it, in one line. */
export class SetupError extends Error {
  /** @param {string} problem @param {string} remedy @param {string} [details] the failing program's own last words */
  constructor(problem, remedy, details) {
    super(`${problem} ${remedy}`);
    this.details = details;
  }
}

/** What this machine cannot have as it is: its platform, a program that is missing, an index out of reach, a full disk. */
export class UnavailableError extends SetupError {}

/** @param {string} line */
export function say(line) {
  process.stdout.write(`set-up: ${line}\n`);
}

/** @param {number} startedAtMs */
export function secondsSince(startedAtMs) {
  return `${((performance.now() - startedAtMs) / 1000).toFixed(1)} s`;
}

const megabytes = (/** @type {number} */ bytes) => Math.round(bytes / 1e6);

/**
 * Shows how far something has come: in place on a terminal, a line every two seconds at most elsewhere (a log).
 * @param {string} what @param {number} totalBytes
 */
export function makeCounter(what, totalBytes) {
  let shownAtMs = performance.now();
  let shownBytes = 0;
  const text = (/** @type {number} */ bytes) => {
    const share = Math.min(100, Math.floor((100 * bytes) / totalBytes));
    return `${what}: ${share} % (${megabytes(bytes)} of ${megabytes(totalBytes)} MB)`;
  };
  return {
    /** @param {number} bytes */
    show(bytes) {
      if (bytes <= shownBytes) return;
      if (!terminal && performance.now() - shownAtMs < 2000) return;
      shownAtMs = performance.now();
      shownBytes = bytes;
      if (terminal) process.stdout.write(`\rset-up: ${text(bytes)}\u001b[K`);
      else say(text(bytes));
    },
    close() {
      if (terminal && shownBytes > 0) process.stdout.write('\r\u001b[K');
    },
  };
}
