// Room for any number of jobs.
import type { JobRoom } from '../../lib/jobs/room.js';

export const ROOM_FOR_ALL: JobRoom = { take: (wanted) => Promise.resolve(wanted), ahead: () => undefined };
