import type { EnvHttpProxyAgent } from 'undici';
import { MartletError } from '../core/error.ts';

type Env = Readonly<Record<string, string | undefined>>;

export interface HttpAnswer {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: AsyncIterable<unknown> | null;
  json(): Promise<unknown>;
}

export type Fetch = (
  url: string,
  options: {
    readonly headers: Readonly<Record<string, string>>;
    readonly signal?: AbortSignal;
    readonly redirect: 'manual';
  },
) => Promise<HttpAnswer>;

/** Headers that carry a credential. */
export type Auth = Readonly<Record<string, string>>;

/**
 * fetch through the proxies that the environment names (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`, either case). What does it has
 * a hundred modules: they are loaded with the first request, which a model on this machine never makes.
 */
export function proxiedFetch(env: Env): Fetch {
  const named = (name: string): string | undefined => env[name.toLowerCase()] || env[name] || undefined;
  let agent: EnvHttpProxyAgent | undefined;
  return async (url, options) => {
    const undici = await import('undici');
    agent ??= new undici.EnvHttpProxyAgent({
      httpProxy: named('HTTP_PROXY') ?? named('ALL_PROXY') ?? '',
      httpsProxy: named('HTTPS_PROXY') ?? named('ALL_PROXY') ?? '',
      noProxy: named('NO_PROXY') ?? '',
      // Time limits are the callers', by signal: a model may take minutes between two answers of a slow mirror.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    return (await undici.fetch(url, { ...options, dispatcher: agent })) as HttpAnswer;
  };
}

/** Hubs redirect once or twice, to a content server. */
const maxRedirects = 8;

/**
 * One GET, redirects followed by hand: a credential goes to the host it was meant for and to no other, and nothing that began with
 * https goes on without.
 * @throws MartletError `download-failed`, retryable for 408, 429 and 5xx; `access-denied` for 401 and 403; `not-found`
 */
export async function request(
  url: string,
  options: {
    readonly fetch: Fetch;
    readonly auth?: Auth | undefined;
    readonly headers?: Readonly<Record<string, string>>;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<HttpAnswer> {
  const origin = new URL(url).origin;
  let at = new URL(url);
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    const trusted = at.origin === origin;
    const response = await options.fetch(at.href, {
      headers: {
        'user-agent': 'martlet',
        // A compressed answer has no length that could be checked, and no ranges.
        'accept-encoding': 'identity',
        ...options.headers,
        ...(trusted ? options.auth : {}),
      },
      redirect: 'manual',
      ...(options.signal ? { signal: options.signal } : {}),
    });
    if (response.status === 200 || response.status === 206) return response;
    const location = response.headers.get('location');
    await discard(response);
    if (response.status < 300 || response.status >= 400 || location === null) throw refusal(at, response.status);
    const next = new URL(location, at);
    if (at.protocol === 'https:' && next.protocol !== 'https:')
      throw new MartletError('download-failed', `${at.href} redirects to ${next.protocol}//, which is not safe`);
    at = next;
  }
  throw new MartletError('download-failed', `${url} redirects more than ${maxRedirects} times`);
}

/** A body that is not read keeps its connection. */
async function discard(response: HttpAnswer): Promise<void> {
  const body = response.body as { cancel?: () => Promise<void> } | null;
  await body?.cancel?.().catch(() => undefined);
}

function refusal(url: URL, status: number): MartletError {
  const where = `${url.origin}${url.pathname}`;
  if (status === 401 || status === 403)
    return new MartletError('access-denied', `${where} answers ${status}: access is denied`, {
      hint: 'Accept the licence on the page of the model and set HF_TOKEN (or MODELSCOPE_API_TOKEN), or check the name.',
    });
  if (status === 404)
    return new MartletError('not-found', `${where} answers 404: there is no such thing`, {
      hint: 'Check the name and the revision.',
    });
  const retryable = status === 408 || status === 429 || status >= 500;
  return new MartletError('download-failed', `${where} answers ${status}`, { retryable });
}
