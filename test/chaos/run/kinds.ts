// Every kind of strike: what it hits, how often it is dealt, and how long it lasts. What it does is in strikes.ts.

/** What a strike's target number counts. `part`: by PARTS. `job`: of a slot. `gate`: of a process' way to Redis or to the store; the last one is all of them. */
export type Aim = 'worker' | 'part' | 'controller' | 'api' | 'redis' | 'store' | 'job' | 'redis-gate' | 'store-gate';

export interface Kind {
  aim: Aim;
  /** Cards of this kind in the deck. */
  cards: number;
  /** How long it lasts, from and to, in milliseconds; 0: a moment. */
  lasts: readonly [number, number];
  /** Needs a store behind a network. */
  s3?: true;
}

/** Longer than an owner may be silent (8 s) and its ticket take to come back: some of them outlast a takeover. */
const FREEZE = [500, 16_000] as const;

export const KINDS = {
  'worker-term': { aim: 'worker', cards: 1, lasts: [0, 0] },
  'worker-kill': { aim: 'worker', cards: 2, lasts: [0, 0] },
  /** The supervisor alone: its trainer computes on. */
  'supervisor-freeze': { aim: 'worker', cards: 1, lasts: FREEZE },
  /** With its trainer: a suspended machine. */
  'worker-freeze': { aim: 'worker', cards: 2, lasts: FREEZE },
  /** From Redis and from the store: it is taken for dead, and trains on. */
  'worker-cut-off': { aim: 'worker', cards: 2, lasts: FREEZE, s3: true },
  'trainer-kill': { aim: 'worker', cards: 2, lasts: [0, 0] },
  /** Means nothing to a trainer: its supervisor decides. */
  'trainer-term': { aim: 'worker', cards: 1, lasts: [0, 0] },
  'trainer-freeze': { aim: 'worker', cards: 1, lasts: [500, 6_000] },
  'controller-term': { aim: 'controller', cards: 1, lasts: [0, 0] },
  'controller-kill': { aim: 'controller', cards: 1, lasts: [0, 0] },
  'controller-freeze': { aim: 'controller', cards: 1, lasts: FREEZE },
  'api-term': { aim: 'api', cards: 1, lasts: [0, 0] },
  'api-kill': { aim: 'api', cards: 1, lasts: [0, 0] },
  'api-freeze': { aim: 'api', cards: 1, lasts: FREEZE },
  'redis-restart': { aim: 'redis', cards: 1, lasts: [100, 8_000] },
  'redis-kill': { aim: 'redis', cards: 1, lasts: [100, 8_000] },
  'redis-freeze': { aim: 'redis', cards: 1, lasts: [500, 12_000] },
  /** It forgets acknowledged writes. */
  'redis-flush': { aim: 'redis', cards: 2, lasts: [0, 0] },
  'redis-cut': { aim: 'redis-gate', cards: 1, lasts: [0, 0] },
  'redis-stall': { aim: 'redis-gate', cards: 2, lasts: FREEZE },
  'redis-refuse': { aim: 'redis-gate', cards: 1, lasts: FREEZE },
  'store-outage': { aim: 'store', cards: 1, lasts: [200, 10_000], s3: true },
  'store-refuse': { aim: 'store-gate', cards: 1, lasts: [500, 14_000], s3: true },
  'store-slow': { aim: 'store-gate', cards: 1, lasts: [2_000, 12_000], s3: true },
  'store-lost-answers': { aim: 'store-gate', cards: 2, lasts: [3_000, 6_000], s3: true },
  'store-errors': { aim: 'store-gate', cards: 1, lasts: [3_000, 6_000], s3: true },
  'store-false-errors': { aim: 'store-gate', cards: 1, lasts: [3_000, 6_000], s3: true },
  'store-twice': { aim: 'store-gate', cards: 2, lasts: [3_000, 6_000], s3: true },
  'store-cut': { aim: 'store-gate', cards: 1, lasts: [5_000, 10_000], s3: true },
  'store-damage': { aim: 'store-gate', cards: 2, lasts: [5_000, 10_000], s3: true },
  'store-silence': { aim: 'store-gate', cards: 1, lasts: [3_000, 6_000], s3: true },
  /** A write that lands after its author has given it up. */
  'store-late': { aim: 'store-gate', cards: 2, lasts: [11_000, 14_000], s3: true },
  /** Hours forward or back, and right again after a while. */
  'clock-jump': { aim: 'part', cards: 3, lasts: [1_000, 30_000] },
  'notice': { aim: 'job', cards: 2, lasts: [0, 0] },
  'notice-kill': { aim: 'job', cards: 1, lasts: [0, 0] },
  'drain': { aim: 'worker', cards: 1, lasts: [0, 0] },
  'pause': { aim: 'job', cards: 2, lasts: [1_000, 9_000] },
  'cancel': { aim: 'job', cards: 2, lasts: [0, 3_000] },
} as const satisfies Record<string, Kind>;

export type StrikeKind = keyof typeof KINDS;
export const STRIKE_KINDS = Object.keys(KINDS) as StrikeKind[];
export type StoreKind = 'file' | 's3';

export const kindsOf = (store: StoreKind): StrikeKind[] => STRIKE_KINDS.filter((kind) => store === 's3' || !('s3' in KINDS[kind]));

export const WORKERS = 3;
/** Jobs at a time: one more than workers, so that somebody waits. */
export const SLOTS = 4;
/** Whose ways to Redis and to the store can fail by themselves. */
export const PARTS = ['api', 'controller', ...Array.from({ length: WORKERS }, (_, index) => `worker-${index}`)];

/** How many targets an aim has. */
export function targetsOf(aim: Aim): number {
  switch (aim) {
    case 'worker':
      return WORKERS;
    case 'part':
      return PARTS.length;
    case 'job':
      return SLOTS;
    case 'redis-gate':
    case 'store-gate':
      return PARTS.length + 1;
    case 'controller':
    case 'api':
    case 'redis':
    case 'store':
      return 1;
  }
}
