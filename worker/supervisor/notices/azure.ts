// Azure Scheduled Events: evictions of spot machines, and what else takes a machine away; another machine's events are none of
// ours. An event of this machine alone can be approved, so that Azure need not wait; approving one that names others too would let it
// happen to them, whatever they still have to save.
// https://learn.microsoft.com/azure/virtual-machines/linux/scheduled-events
import { askMetadata, type MetadataAnswer, UnexpectedAnswer, untilMs } from './metadata.js';
import type { Announced, NoticeSource } from './source.js';

export interface AzureOptions {
  /** http://169.254.169.254 but in tests. */
  baseUrl: string;
  timeoutMs?: number;
  /** The first answer switches the service on, which takes up to two minutes. */
  firstTimeoutMs?: number;
  pauseMs?: number;
}

interface ScheduledEvent {
  EventId: string;
  EventType: string;
  Resources: string[];
  EventStatus: string;
  /** RFC 1123, empty once it has started. */
  NotBefore: string;
  Description?: string;
}

const HEADERS = { metadata: 'true' };
/** Freeze is a pause of seconds with memory kept: nothing to be done, and a good time to save. */
const GOES: readonly string[] = ['Preempt', 'Terminate', 'Reboot', 'Redeploy'];

export function makeAzureSource({ baseUrl, timeoutMs = 2_000, firstTimeoutMs = 130_000, pauseMs = 1_000 }: AzureOptions): NoticeSource {
  const url = `${baseUrl}/metadata/scheduledevents?api-version=2020-07-01`;
  let answered = false;
  let name: string | null = null;

  async function nameOfMachine(signal: AbortSignal): Promise<string | null> {
    const asked = `${baseUrl}/metadata/instance/compute/name?api-version=2021-02-01&format=text`;
    const answer = await askMetadata(asked, { headers: HEADERS, timeoutMs, signal });
    if (answer.status !== 200) throw new UnexpectedAnswer(asked, answer);
    return answer.text.trim();
  }

  async function acknowledge(event: string): Promise<void> {
    const answer = await askMetadata(url, { method: 'POST', headers: { ...HEADERS, 'content-type': 'application/json' }, body: JSON.stringify({ StartRequests: [{ EventId: event }] }), timeoutMs, signal: new AbortController().signal });
    if (answer.status !== 200) throw new UnexpectedAnswer(url, answer);
  }

  return {
    name: 'azure',
    pauseMs,
    detect: async (signal) => (await nameOfMachine(signal)) !== '',
    look: async (signal) => {
      // Without a name every event is taken for ours, and none is approved: stopping in vain costs a resume, and a missed eviction work.
      name ??= await nameOfMachine(signal).catch(() => null);
      const answer = await askMetadata(url, { headers: HEADERS, timeoutMs: answered ? timeoutMs : firstTimeoutMs, signal });
      if (answer.status !== 200) throw new UnexpectedAnswer(url, answer);
      answered = true;
      const { Events: events } = JSON.parse(answer.text) as { Events: ScheduledEvent[] };
      return events.filter(({ Resources: machines }) => name === null || machines.length === 0 || machines.includes(name)).flatMap((event) => announce(event, answer));
    },
  };

  function announce({ EventId: id, EventType: type, EventStatus: status, NotBefore: notBefore, Resources: machines }: ScheduledEvent, answer: MetadataAnswer): Announced[] {
    if (!GOES.includes(type)) {
      if (status !== 'Scheduled') return [];
      return [{ kind: 'hint', message: `Azure: ${type} scheduled${notBefore === '' ? '' : `, not before ${notBefore}`} (${id})` }];
    }
    const at = Date.parse(notBefore);
    const isOurs = name !== null && machines.length === 1 && machines[0] === name;
    return [{ kind: 'notice', message: `Azure: ${type} ${status.toLowerCase()}${Number.isNaN(at) ? '' : `, not before ${notBefore}`} (${id})`, leftMs: Number.isNaN(at) ? null : untilMs(at, answer), ...(isOurs ? { acknowledge: () => acknowledge(id) } : {}) }];
  }
}
