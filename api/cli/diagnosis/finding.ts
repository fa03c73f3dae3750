// What `doctor` finds: one thing that was looked at, what was found, and what to type where it is wrong.
import type { Config } from '../../../lib/config.js';
import type { Environment } from '../processes.js';

export interface Finding {
  about: 'node' | 'settings' | 'redis' | 'store' | 'clock' | 'folder' | 'data' | 'api' | 'tensorflow' | 'wasm' | 'gpu';
  /** `error`: jobs cannot run as configured. */
  level: 'ok' | 'warning' | 'error';
  message: string;
  /** The command or setting that helps; null where nothing is wrong. */
  fix: string | null;
}

export interface Means {
  config: Config;
  env: Environment;
}

/** One look at the machine. Never throws for what it looks for. */
export type Look = (means: Means) => Promise<Finding[]>;

export const ok = (about: Finding['about'], message: string): Finding => ({ about, level: 'ok', message, fix: null });
export const problem = (about: Finding['about'], message: string, fix: string, level: 'error' | 'warning' = 'error'): Finding => ({ about, level, message, fix });

/** The fix of the first pattern that the message has. */
export const fixFor = (message: string, fixes: readonly (readonly [pattern: RegExp, fix: string])[], otherwise: string): string => fixes.find(([pattern]) => pattern.test(message))?.[1] ?? otherwise;
