import { createHash, timingSafeEqual } from 'node:crypto';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { canonicalJson } from '../core/canonical-json.ts';
import { MartletError } from '../core/error.ts';
import { fingerprint } from '../core/fingerprint.ts';
import type { Json } from '../schema/common.ts';
import { type ApiError, apiError, failureApiError, issuesApiError } from './api-error.ts';
import {
  ask,
  type Backend,
  findModel,
  prepareQuestion,
  type Question,
  type ServedModel,
  unknownModelError,
} from './ask.ts';
import { type AnswerHead, chunk, completion, logprobsOf, usageOf } from './chat-format.ts';
import { type ChatRequest, readChatRequest } from './chat-request.ts';
import type { AnswerPart } from './stream-answer.ts';
import { type TokenPiece, tokenPieces } from './token-pieces.ts';

export interface GatewayOptions {
  readonly backend: Backend;
  /** Demanded of every request but `/health`; null for none. */
  readonly apiKey: string | null;
  /** Names a request may call this server by, without port; null for any. Keeps web pages from reaching a local server. */
  readonly hostNames: readonly string[] | null;
  /** Requests of one model that are answered at once, and that may wait behind them. */
  readonly slots: number;
  readonly maxWaiting: number;
  /** For what no client is told. */
  readonly log: (line: string) => void;
}

export interface Gateway {
  readonly app: Hono;
  /** From now on requests are refused; resolves when those that run are over. */
  drain(): Promise<void>;
  /** Breaks off what is still running. */
  abort(): void;
}

const maxBodyBytes = 16 * 2 ** 20;
const encoder = new TextEncoder();

/** OpenAI's chat API in front of an engine. */
export function createGateway(options: GatewayOptions): Gateway {
  const { backend, log } = options;
  const app = new Hono();
  const stopped = new AbortController();
  const pieces = new Map<string, (id: number) => TokenPiece>();
  const running = new Map<string, number>();
  let active = 0;
  let draining = false;
  let drained = (): void => {};

  /** A place among the requests of a model, or undefined when there is none. */
  const enter = (name: string): (() => void) | undefined => {
    const count = running.get(name) ?? 0;
    if (count >= options.slots + options.maxWaiting) return undefined;
    running.set(name, count + 1);
    active++;
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      running.set(name, (running.get(name) ?? 1) - 1);
      if (--active === 0) drained();
    };
  };

  const pieceOf = ({ entry, encoder: { tokenizer } }: ServedModel): ((id: number) => TokenPiece) => {
    const known = pieces.get(entry.name) ?? tokenPieces(tokenizer);
    pieces.set(entry.name, known);
    return known;
  };

  app.use(async (c, next) => {
    const refused = refuse(c, options);
    if (refused) return reply(c, refused);
    await next();
  });
  app.onError((error, c) => {
    if (!MartletError.is(error)) log(`a request failed: ${error.stack ?? error.message}`);
    return reply(c, failureApiError(error));
  });
  app.notFound((c) => {
    const what = `${c.req.method} ${c.req.path}`;
    const known = 'POST /v1/chat/completions, GET /v1/models, GET /health';
    return reply(c, apiError(404, { message: `there is no ${what}; there is ${known}`, code: 'unknown_url' }));
  });

  app.get('/health', async (c) => {
    const health = await backend.engine.health().catch(() => ({ ready: false, active: 0, waiting: 0 }));
    const ready = health.ready && !draining;
    return c.json({ ...health, ready, requests: active, deployment: backend.deployment.address }, ready ? 200 : 503);
  });

  const shownModel = ({ entry }: ServedModel): object => ({
    id: entry.name,
    object: 'model',
    created: Math.floor(new Date(backend.deployment.createdAt).getTime() / 1000),
    owned_by: 'martlet',
    artefact: entry.model,
    fingerprint: entry.modelFingerprint,
    plan: entry.planHash,
  });
  app.get('/v1/models', (c) => c.json({ object: 'list', data: backend.models.map(shownModel) }));
  app.get('/v1/models/:id{.+}', (c) => {
    const found = findModel(backend, c.req.param('id'));
    return found ? c.json(shownModel(found)) : reply(c, unknownModel(backend, c.req.param('id')));
  });

  const tooLarge = apiError(413, { message: `the body has more than ${maxBodyBytes} bytes`, code: 'too_large' });
  const limit = bodyLimit({ maxSize: maxBodyBytes, onError: (c) => reply(c, tooLarge) });
  app.post('/v1/chat/completions', limit, async (c) => {
    if (draining) return reply(c, apiError(503, { message: 'the server is going down', code: 'going_down' }));
    const read = await readBody(c);
    if ('status' in read) return reply(c, read);
    const checked = readChatRequest(read.body, read.text);
    if (!checked.ok) return reply(c, issuesApiError(checked.issues));
    const chat = checked.value;
    const model = findModel(backend, chat.model);
    if (!model) return reply(c, unknownModel(backend, chat.model));
    const leave = enter(model.entry.name);
    if (!leave) {
      c.header('retry-after', '1');
      const message = `${model.entry.name} has ${options.maxWaiting} requests waiting already; try again in a moment`;
      return reply(c, apiError(429, { message, code: 'too_many_requests' }));
    }
    try {
      const question = prepareQuestion(backend, model, chat);
      const signal = AbortSignal.any([c.req.raw.signal, stopped.signal]);
      const asked: Asked = { backend, question, chat, pieceOf: pieceOf(model), head: headOf(backend, question) };
      if (!chat.stream) return c.json(await answerWhole(asked, signal));
      c.header('content-type', 'text/event-stream; charset=utf-8');
      c.header('cache-control', 'no-cache');
      const body = eventStream((gone) => events(asked, AbortSignal.any([signal, gone])), leave);
      return c.body(body);
    } catch (error) {
      leave();
      throw error;
    } finally {
      if (!chat.stream) leave();
    }
  });

  /** Events of one answer. A failure in the middle is an event too: the status was sent long ago. */
  async function* events(asked: Asked, signal: AbortSignal): AsyncGenerator<string> {
    try {
      for await (const each of answerChunks(asked, signal)) yield `data: ${JSON.stringify(each)}\n\n`;
      yield 'data: [DONE]\n\n';
    } catch (error) {
      if (signal.aborted && !stopped.signal.aborted) return;
      if (!MartletError.is(error)) log(`an answer failed: ${String(error)}`);
      yield `data: ${JSON.stringify(failureApiError(error).body)}\n\n`;
    }
  }

  return {
    app,
    drain() {
      draining = true;
      if (active === 0) return Promise.resolve();
      return new Promise((resolve) => {
        drained = resolve;
      });
    },
    abort: () => stopped.abort(),
  };
}

interface Asked {
  readonly backend: Backend;
  readonly question: Question;
  readonly chat: ChatRequest;
  readonly head: AnswerHead;
  readonly pieceOf: (id: number) => TokenPiece;
}

async function answerWhole({ backend, question, chat, head, pieceOf }: Asked, signal: AbortSignal): Promise<object> {
  const parts: AnswerPart[] = [];
  const answer = ask(backend, question, signal);
  let next = await answer.next();
  for (; !next.done; next = await answer.next()) parts.push(next.value);
  const { message, finishReason } = next.value;
  const logprobs = logprobsOf(parts, { top: chat.topLogProbabilities, pieceOf });
  return completion(head, { message, finishReason, logprobs, usage: usageOf(question.prompt.length, next.value) });
}

async function* answerChunks(asked: Asked, signal: AbortSignal): AsyncGenerator<object> {
  const { backend, question, chat, head, pieceOf } = asked;
  const usage = chat.includeUsage ? null : undefined;
  const answer = ask(backend, question, signal);
  const filter = question.calls?.filter();
  try {
    yield chunk(head, { delta: { role: 'assistant', content: '' } }, usage);
    let next = await answer.next();
    for (; !next.done; next = await answer.next()) {
      const logprobs = logprobsOf([next.value], { top: chat.topLogProbabilities, pieceOf });
      const content = filter ? filter.push(next.value.text) : next.value.text;
      if (content !== '' || next.value.tokens.length > 0) yield chunk(head, { delta: { content }, logprobs }, usage);
    }
    const { message } = next.value;
    const rest = filter?.end(message.content) ?? '';
    if (rest !== '') yield chunk(head, { delta: { content: rest } }, usage);
    for (const [index, call] of message.toolCalls.entries())
      yield chunk(head, { delta: { tool_calls: [{ index, ...call }] } }, usage);
    // Only now, with the answer on record, is the client told that it is whole.
    yield chunk(head, { delta: {}, finishReason: next.value.finishReason }, usage);
    if (chat.includeUsage) yield chunk(head, null, usageOf(question.prompt.length, next.value));
  } finally {
    // Left early: the answer so far goes on record.
    await answer.return({
      text: '',
      completionTokens: 0,
      finishReason: 'stop',
      message: { content: '', toolCalls: [] },
    });
  }
}

/** What each object of an answer carries. The fingerprint changes when anything does that could change the answer. */
function headOf({ engine }: Backend, { id, at, model }: Question): AnswerHead {
  const { name, modelFingerprint } = model.entry;
  const what = fingerprint({ engine: `${engine.name} ${engine.version}`, modelFingerprint });
  return {
    id,
    created: Math.floor(at.getTime() / 1000),
    model: name,
    system_fingerprint: `fp_${what.slice(0, 16)}`,
  };
}

/**
 * Text that is made as the client takes it, so that a slow one does not fill the memory. When the client goes away, the
 * signal that `start` was given is aborted.
 */
function eventStream(
  start: (gone: AbortSignal) => AsyncGenerator<string>,
  onEnd: () => void,
): ReadableStream<Uint8Array> {
  const gone = new AbortController();
  const texts = start(gone.signal);
  return new ReadableStream({
    async pull(controller) {
      try {
        const next = await texts.next();
        if (!next.done) return controller.enqueue(encoder.encode(next.value));
        onEnd();
        controller.close();
      } catch (error) {
        onEnd();
        throw error;
      }
    },
    async cancel() {
      gone.abort();
      try {
        await texts.return(undefined);
      } finally {
        onEnd();
      }
    },
  });
}

function reply(c: Context, { status, body }: ApiError): Response {
  if (status === 503) c.header('retry-after', '1');
  return c.json(body, status);
}

function unknownModel(backend: Backend, name: string): ApiError {
  const { message, code } = unknownModelError(backend, name);
  return apiError(404, { message, code, param: 'model' });
}

/** What is refused before it is looked at: a name that is not ours (a web page that had its own name point here), a missing key. */
function refuse(c: Context, { apiKey, hostNames }: GatewayOptions): ApiError | undefined {
  const name = c.req.header('host')?.replace(/:\d+$/, '').toLowerCase();
  if (hostNames && name !== undefined && !hostNames.includes(name))
    return apiError(403, { message: `this server does not answer to the name ${name}`, code: 'unknown_host' });
  // A browser lets any page post here, and only hides the answer from it; no page of elsewhere may put words on record.
  const origin = c.req.header('origin');
  if (hostNames && origin !== undefined && !hostNames.includes(URL.parse(origin)?.hostname ?? origin))
    return apiError(403, { message: `this server does not answer pages of ${origin}`, code: 'unknown_origin' });
  if (apiKey === null || c.req.path === '/health') return undefined;
  const given = /^Bearer (.*)$/i.exec(c.req.header('authorization') ?? '')?.[1];
  if (given !== undefined && isSame(given, apiKey)) return undefined;
  const message = 'this server wants its API key, as "Authorization: Bearer <key>"';
  return apiError(401, { message, code: 'invalid_api_key' });
}

/** In a time that does not tell how much of it was right. */
function isSame(given: string, wanted: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}

async function readBody(c: Context): Promise<{ readonly body: Json; readonly text: string } | ApiError> {
  const text = await c.req.text();
  try {
    const value = JSON.parse(text) as Json;
    // What has no canonical form (half a surrogate pair) could not go on record.
    canonicalJson(value);
    return { body: value, text };
  } catch (error) {
    const message = `the body is not JSON: ${error instanceof Error ? error.message : ''}`;
    return apiError(400, { message, code: 'not_json' });
  }
}
