// Which jobs want attention, by their markers in `open/`.
import type { Store } from '../store/index.js';
import { OPEN_PREFIX, parseMarkerKey } from './names.js';

/** Their newest generation that is open. @throws AppError store_unavailable */
export async function readOpenMarkers(store: Pick<Store, 'keys'>): Promise<Map<string, number>> {
  const open = new Map<string, number>();
  for await (const key of store.keys(OPEN_PREFIX)) {
    const marker = parseMarkerKey(key);
    if (marker) open.set(marker.job, Math.max(open.get(marker.job) ?? 0, marker.gen));
  }
  return open;
}
