// Amazon EC2 Spot: interruption notices and rebalance recommendations from the instance metadata service, with its session tokens.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/rebalance-recommendations.html
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
import { askMetadata, isBusy, type MetadataAnswer, UnexpectedAnswer, untilMs } from './metadata.js';
import type { Announced, NoticeSource } from './source.js';

export interface AwsOptions {
  /** http://169.254.169.254 but in tests. */
  baseUrl: string;
  timeoutMs?: number;
  /** AWS asks for a look every five seconds. */
  pauseMs?: number;
}

const TOKEN_SECONDS = 21_600;
/** AWS gives no notice longer than this. */
const LONGEST_NOTICE_MS = 120_000;

export function makeAwsSource({ baseUrl, timeoutMs = 2_000, pauseMs = 5_000 }: AwsOptions): NoticeSource {
  /** Null: to be asked for. Empty: this machine has no tokens (IMDSv1). */
  let token: string | null = null;

  async function fetchToken(signal: AbortSignal): Promise<string> {
    const url = `${baseUrl}/latest/api/token`;
    const answer = await askMetadata(url, { method: 'PUT', headers: { 'x-aws-ec2-metadata-token-ttl-seconds': String(TOKEN_SECONDS) }, timeoutMs, signal });
    if (answer.status === 200) return answer.text.trim();
    // Metadata without tokens, or somebody else's server.
    if ([403, 404, 405].includes(answer.status)) return '';
    throw new UnexpectedAnswer(url, answer);
  }

  async function get(path: string, signal: AbortSignal): Promise<MetadataAnswer> {
    for (let tries = 1; ; tries++) {
      token ??= await fetchToken(signal);
      const answer = await askMetadata(`${baseUrl}/latest/meta-data/${path}`, { headers: token === '' ? {} : { 'x-aws-ec2-metadata-token': token }, timeoutMs, signal });
      // The token has run out, or the service was restarted.
      if (answer.status !== 401 || tries === 2) return answer;
      token = null;
    }
  }

  /** What is there only when something is announced: 404 until then. */
  async function find(path: string, signal: AbortSignal): Promise<{ said: Record<string, unknown>; answer: MetadataAnswer } | null> {
    const answer = await get(path, signal);
    if (answer.status === 404) return null;
    if (answer.status !== 200) throw new UnexpectedAnswer(path, answer);
    return { said: JSON.parse(answer.text) as Record<string, unknown>, answer };
  }

  return {
    name: 'aws',
    pauseMs,
    detect: async (signal) => {
      const answer = await get('instance-id', signal);
      if (isBusy(answer.status)) throw new UnexpectedAnswer('instance-id', answer);
      return answer.status === 200 && /^i-[0-9a-f]+$/.test(answer.text.trim());
    },
    look: async (signal) => {
      const announced: Announced[] = [];
      const found = await find('spot/instance-action', signal);
      if (found) {
        const { said: action, answer } = found;
        const at = Date.parse(String(action['time']));
        // Hibernation begins at once; whatever it is called, an instance with an action goes.
        const soon = action['action'] === 'hibernate' || Number.isNaN(at);
        announced.push({ kind: 'notice', message: `AWS: spot interruption (${String(action['action'])}${soon ? '' : ` at ${new Date(at).toISOString()}`})`, leftMs: soon ? null : Math.min(LONGEST_NOTICE_MS, untilMs(at, answer)) });
      }
      // Asked second, so that an interruption is never kept waiting by it.
      const rebalance = found ? null : await find('events/recommendations/rebalance', signal);
      if (rebalance) announced.push({ kind: 'hint', message: `AWS: rebalance recommendation of ${String(rebalance.said['noticeTime'])}` });
      return announced;
    },
  };
}
