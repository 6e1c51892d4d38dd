import { MartletError } from '../../core/error.ts';

export interface ChatTurn {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

export interface ChatClient {
  models(): Promise<readonly string[]>;
  /** The answer, piece by piece. */
  stream(request: {
    readonly model: string;
    readonly messages: readonly ChatTurn[];
    readonly temperature?: number | undefined;
  }): AsyncIterable<string>;
}

/** The little of OpenAI's API that a chat needs. @throws MartletError `no-server`, `server-refused`, with its own words */
export function chatClient(options: {
  readonly url: string;
  readonly apiKey: string | null;
  readonly signal: AbortSignal;
}): ChatClient {
  const { apiKey, signal } = options;
  const root = options.url.replace(/\/+$/, '').replace(/\/v1$/, '');
  const call = async (path: string, body?: object): Promise<Response> => {
    const reply = await fetch(`${root}/v1${path}`, {
      signal,
      headers: {
        'content-type': 'application/json',
        ...(apiKey === null ? {} : { authorization: `Bearer ${apiKey}` }),
      },
      ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
    }).catch((cause: unknown) => {
      if (signal.aborted) throw cause;
      throw new MartletError('no-server', `nothing answers at ${root}`, {
        hint: 'Start one with martlet serve, or name another with --url.',
        cause,
      });
    });
    if (!reply.ok) throw refused(await reply.text(), reply.status);
    return reply;
  };
  return {
    async models() {
      const { data } = (await (await call('/models')).json()) as { data: readonly { id: string }[] };
      return data.map(({ id }) => id);
    },
    async *stream(request) {
      const { body } = await call('/chat/completions', { ...request, stream: true });
      for await (const data of eventsOf(body ?? new ReadableStream())) {
        if (data === '[DONE]') return;
        const event = JSON.parse(data) as {
          error?: unknown;
          choices?: readonly { delta?: { content?: string } }[];
        };
        if (event.error) throw refused(data, 500);
        const piece = event.choices?.[0]?.delta?.content;
        if (piece) yield piece;
      }
    },
  };
}

/** The data of server-sent events, as they come. */
async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const bytes of body) {
    rest += decoder.decode(bytes, { stream: true });
    const events = rest.split(/\r?\n\r?\n/);
    rest = events.pop() ?? '';
    for (const event of events)
      for (const line of event.split(/\r?\n/)) if (line.startsWith('data:')) yield line.slice(5).trim();
  }
}

function refused(text: string, status: number): MartletError {
  let message = `the server answered ${status}`;
  let code = 'server-refused';
  try {
    const { error } = JSON.parse(text) as { error?: { message?: string; code?: string | null } };
    message = error?.message ?? message;
    // The one refusal that whoever asks can do something about.
    if (error?.code === 'context_length_exceeded') code = error.code;
  } catch {
    // Not ours: the status has to do.
  }
  return new MartletError(code, message, { retryable: status === 429 || status === 503 });
}
