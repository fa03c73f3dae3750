// The envelope of every list, and pages of lists that are in memory as a whole.
import { AppError } from '../lib/errors.js';

export interface List<T> {
  object: 'list';
  data: T[];
  has_more: boolean;
  last_id: string | number | null;
}

export function listOf<T>(data: T[], hasMore: boolean, lastId: string | number | null): List<T> {
  return { object: 'list', data, has_more: hasMore, last_id: lastId };
}

/** The part of `all` after the one with this id. @throws AppError invalid_cursor where there is none */
export function pageOf<T extends { id: string }>(all: readonly T[], { after, limit }: { after: string | null; limit: number }): List<T> {
  const at = after === null ? 0 : all.findIndex(({ id }) => id === after) + 1;
  if (after !== null && at === 0) throw new AppError('invalid_cursor', `after: nothing here has the id ${JSON.stringify(after.slice(0, 64))}`, { param: 'after' });
  const data = all.slice(at, at + limit);
  return listOf(data, at + data.length < all.length, data.at(-1)?.id ?? null);
}
