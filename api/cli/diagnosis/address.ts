// The address of the API: whether it is there and takes this token, or whether it could be started there.
import { createServer } from 'node:net';
import { ApiError, makeClient } from '../../client.js';
import { explain } from '../context.js';
import { type Finding, type Look, ok, problem } from './finding.js';

const ANSWER_MS = 4_000;

export const lookAtApi: Look = async ({ config, env }) => {
  const { url, apiTokens, host, port } = config;
  const client = makeClient({ url, timeoutMs: ANSWER_MS, retryBudgetMs: 0, ...(apiTokens[0] === undefined ? {} : { token: apiTokens[0] }) });
  const elsewhere = env['PAWL_URL'] !== undefined && env['PAWL_URL'] !== '';
  try {
    const { status, store, redis } = await client.ready();
    if (typeof status !== 'string' || typeof redis !== 'string') return [strange(url, elsewhere)];
    await client.jobs({ limit: 1 });
    if (status !== 'ready') return [problem('api', `Pawl is up at ${url}, and its store is ${store}`, `see its log; \`pawl doctor\` on its machine, with its PAWL_STORE, says what is wrong with the store`)];
    return [ok('api', `Pawl is up at ${url}${redis === 'connected' ? '' : `, with Redis ${redis}`}`)];
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.code === 'unauthorized') return [problem('api', `Pawl is up at ${url}, and ${apiTokens.length === 0 ? 'asks for a token' : 'does not know the token of PAWL_API_TOKEN'}`, 'set PAWL_API_TOKEN to what it was started with')];
    if (error.code === 'unexpected_answer') return [strange(url, elsewhere)];
    if (error.code !== 'unreachable') return [problem('api', `Pawl is up at ${url}, and says: ${explain(error).lines.join('; ')}`, 'see its log')];
    if (elsewhere) return [problem('api', error.message, '`pawl up` or `pawl api` starts it; PAWL_URL says where it is')];
    return [await lookAtPort(host, port)];
  }
};

const strange = (url: string, elsewhere: boolean): Finding => problem('api', `something that is not Pawl answers at ${url}`, elsewhere ? 'correct PAWL_URL' : 'choose another port with PAWL_PORT (`pawl up --port PORT`), or end what is there');

/** Whether a server could listen there. */
async function lookAtPort(host: string, port: number): Promise<Finding> {
  const server = createServer();
  const code = await new Promise<string | null>((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen(port, host, () => resolve(null));
  });
  if (code === null) {
    await new Promise((resolve) => server.close(resolve));
    return ok('api', `nothing listens at port ${port} of ${host} yet: \`pawl up\` can`);
  }
  if (code === 'EADDRINUSE') return problem('api', `port ${port} of ${host} is taken by something that does not answer as Pawl does`, 'choose another with PAWL_PORT (`pawl up --port PORT`), or end what is there');
  if (code === 'EACCES') return problem('api', `port ${port} may not be used by this user`, 'choose one above 1023 with PAWL_PORT (`pawl up --port PORT`)');
  return problem('api', `nothing can listen at port ${port} of ${host} (${code})`, 'correct PAWL_HOST, or unset it');
}
