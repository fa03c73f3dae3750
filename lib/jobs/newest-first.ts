// Lists of ids in the order in which lists show them, newest first: ids sort by the time at which they were made. Pure.

/** These and more, none of which is among them. Lists are replaced, never changed, so that a scan under way keeps its place. */
export function withMore(ids: readonly string[], more: readonly string[]): readonly string[] {
  if (more.length === 0) return ids;
  const added = [...more].sort((a, b) => (a < b ? 1 : -1));
  const oldest = added.at(-1) ?? '';
  // Nearly all that is new is newer than what is there, so that little is merged however long the list is.
  const untouched = firstPlace(ids, (id) => id < oldest);
  const merged: string[] = [];
  let at = 0;
  for (const id of added) {
    for (; at < untouched && ids[at]! > id; at++) merged.push(ids[at]!);
    merged.push(id);
  }
  return merged.concat(ids.slice(at));
}

/** The first place from which on it holds; their number if it holds nowhere. */
export function firstPlace(ids: readonly string[], holds: (id: string) => boolean): number {
  let [from, to] = [0, ids.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (holds(ids[middle]!)) to = middle;
    else from = middle + 1;
  }
  return from;
}
