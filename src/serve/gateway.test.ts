import { expect, test } from 'vitest';
import { fingerprint } from '../core/fingerprint.ts';
import { tokenizerFrom } from '../models/tokenizer.ts';
import { compileTemplate, toolCallsOf } from '../render/index.ts';
import type { Capture } from '../schema/deployment.ts';
import { type FakeEngineOptions, fakeEngine } from '../testing/fake-engine.ts';
import { tinyTokenizerJson } from '../testing/tiny-tokenizer.ts';
import type { ServedModel } from './ask.ts';
import { createGateway, type GatewayOptions } from './gateway.ts';

const tokenizer = tokenizerFrom(JSON.stringify(tinyTokenizerJson()));
const template = compileTemplate('');
const ids = (text: string): number[] => Array.from(tokenizer.encode(text).ids);
const textOf = (content: string | readonly object[] | null): string =>
  Array.isArray(content) ? content.map((part) => ('text' in part ? part.text : '')).join(' ') : String(content);
const hash = (text: string): string => fingerprint(text);

function served(name: string, planHash: string | null): ServedModel {
  return {
    entry: {
      name,
      model: planHash ? `${name}@2` : null,
      modelFingerprint: hash(name),
      planHash,
      base: '/base',
      adapter: null,
    },
    encoder: {
      tokenizer,
      stopTokens: [2],
      toolCalls: () => toolCallsOf({ template, specialTokens: {}, agent: 'hermes', tokenizer }),
      prompt: ({ messages, tools }) =>
        ids(messages.map(({ content }) => textOf(content)).join(' ') + (tools ? ' tool' : '')),
    },
    maxLength: 40,
  };
}

function gateway(engine: FakeEngineOptions, given: Partial<GatewayOptions> & { capture?: () => Promise<void> } = {}) {
  const captures: Capture[] = [];
  const fake = fakeEngine({ ...engine, models: ['base', 'market-brief'] });
  let count = 0;
  const made = createGateway({
    backend: {
      engine: fake,
      models: [served('base', null), served('market-brief', hash('plan'))],
      deployment: { address: 'market-brief@1', fingerprint: hash('deployment'), createdAt: '2026-11-24T00:00:00.000Z' },
      capture: async (capture) => {
        await given.capture?.();
        captures.push(capture);
      },
      clock: () => new Date('2026-11-24T10:00:00.000Z'),
      newId: () => `chatcmpl-${++count}`,
      newSeed: () => 99,
    },
    apiKey: null,
    hostNames: null,
    slots: 1,
    maxWaiting: 1,
    log: () => {},
    ...given,
  });
  const post = async (body: object | string, init: RequestInit = {}) =>
    made.app.request('/v1/chat/completions', {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...init,
    });
  return { ...made, post, captures, engine: fake };
}

const question = { model: 'market-brief', messages: [{ role: 'user', content: 'the price' }] };
const says = (text: string): FakeEngineOptions => ({ answer: () => ids(text) });
const eventsOf = (text: string) =>
  text
    .split('\n\n')
    .filter(Boolean)
    .map((event) => event.replace(/^data: /, ''));

test('an answer is whole, on record, and names what gave it', async () => {
  const { post, captures, engine } = gateway(says('the close'));
  const reply = await post({
    ...question,
    temperature: 0.5,
    top_p: 0.9,
    top_k: 5,
    max_completion_tokens: 7,
    user: 'u',
  });
  expect(reply.status).toBe(200);
  expect(await reply.json()).toMatchObject({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1795514400,
    model: 'market-brief',
    system_fingerprint: expect.stringMatching(/^fp_[0-9a-f]{16}$/),
    choices: [
      { index: 0, message: { role: 'assistant', content: 'the close' }, logprobs: null, finish_reason: 'stop' },
    ],
    usage: { prompt_tokens: 2, completion_tokens: 2, total_tokens: 4 },
  });
  expect(engine.requests[0]?.sampling).toEqual({
    temperature: 0.5,
    topP: 0.9,
    topK: 5,
    seed: 99,
    maxTokens: 7,
    stopTokens: [2],
  });
  const [capture] = captures;
  expect(capture).toMatchObject({
    id: 'chatcmpl-1',
    model: 'market-brief',
    modelFingerprint: hash('market-brief'),
    planHash: hash('plan'),
    deployment: 'market-brief@1',
    deploymentFingerprint: hash('deployment'),
    answer: 'the close',
    finishReason: 'stop',
    request: { ...question, temperature: 0.5, top_p: 0.9, top_k: 5, seed: 99, max_tokens: 7 },
  });
  expect(capture?.requestDigest).toBe(fingerprint(capture?.request));
});

test('a stream gives pieces, log-probabilities and usage, and ends when the answer is on record', async () => {
  let onRecord = false;
  const { post } = gateway(says('the € price'), {
    capture: async () => {
      onRecord = true;
    },
  });
  const reply = await post({
    ...question,
    stream: true,
    stream_options: { include_usage: true },
    logprobs: true,
    top_logprobs: 2,
  });
  expect(reply.headers.get('content-type')).toContain('text/event-stream');
  const reader = reply.body?.pipeThrough(new TextDecoderStream()).getReader();
  const events: string[] = [];
  for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
    for (const event of eventsOf(next.value)) {
      if (event.includes('"finish_reason":"stop"')) expect(onRecord).toBe(true);
      events.push(event);
    }
  }
  expect(events.pop()).toBe('[DONE]');
  const chunks = events.map((event) => JSON.parse(event));
  expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe('the € price');
  expect(chunks.at(-2)).toMatchObject({ choices: [{ delta: {}, finish_reason: 'stop' }], usage: null });
  const count = ids('the € price').length;
  expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 2, completion_tokens: count } });
  const logged = chunks.flatMap(({ choices }) => choices[0]?.logprobs?.content ?? []);
  expect(logged).toHaveLength(count);
  expect(logged[0]).toMatchObject({
    token: 'the',
    logprob: -0.125,
    top_logprobs: [{ token: 'the' }, { logprob: -1.125 }],
  });
  const bytes = logged.flatMap((each: { bytes: number[] }) => each.bytes);
  expect(new TextDecoder().decode(Uint8Array.from(bytes))).toBe('the € price');
});

test('what is wrong is said all at once, in the shape of OpenAI', async () => {
  const { post, engine } = gateway(says('x'));
  const error = async (body: object | string) => {
    const reply = await post(body);
    return { status: reply.status, ...((await reply.json()) as { error: Record<string, string> }).error };
  };
  expect(await error({ ...question, temperature: 3, n: 2 })).toMatchObject({
    status: 400,
    type: 'invalid_request_error',
    param: 'n',
    message: expect.stringMatching(/n: .*another seed.*\n.*temperature: found 3/s),
  });
  for (const field of [
    { response_format: { type: 'json_schema', json_schema: {} } },
    { frequency_penalty: 0.5 },
    { logit_bias: { 5: 1 } },
    { tool_choice: 'required' },
    { top_logprobs: 3 },
    { max_tokens: 0 },
    { stop: '' },
    { stream_options: { include_usage: true } },
  ])
    expect(await error({ ...question, ...field })).toMatchObject({ status: 400, param: Object.keys(field)[0] });
  expect(await error({ ...question, model: 'market-breif' })).toMatchObject({
    status: 404,
    param: 'model',
    code: 'model_not_found',
    message: expect.stringContaining('did you mean "market-brief"'),
  });
  const image = { role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] };
  expect(await error({ ...question, messages: [image] })).toMatchObject({
    status: 400,
    param: 'messages[0].content[0]',
  });
  expect(await error({ ...question, messages: [] })).toMatchObject({ status: 400, param: 'messages' });
  expect(await error('{"model": ')).toMatchObject({ status: 400, code: 'not_json' });
  expect(await error(`{"model": "base", "messages": [{"role": "user", "content": "\\ud800"}]}`)).toMatchObject({
    status: 400,
  });
  expect(await error({ ...question, messages: [{ role: 'user', content: 'x'.repeat(50) }] })).toMatchObject({
    status: 400,
    code: 'context_length_exceeded',
    param: 'messages',
  });
  const room = 40 - ids('the price').length;
  const greedy = { ...question, messages: [{ role: 'user', content: 'the price' }], max_tokens: room + 1 };
  expect(await error(greedy)).toMatchObject({
    status: 400,
    code: 'context_length_exceeded',
    param: 'max_tokens',
    message: expect.stringMatching(
      new RegExp(
        `^${room + 1} tokens .* prompt of ${40 - room}; .* 40 tokens, which leaves ${room}\\. Ask for at most ${room},`,
      ),
    ),
  });
  expect(engine.requests).toHaveLength(0);
  await post({ ...greedy, max_tokens: room });
  expect(engine.requests[0]?.sampling.maxTokens).toBe(room);
});

test('fields that ask for nothing special are let through', async () => {
  const { post, engine } = gateway(says('ok'));
  const reply = await post({
    ...question,
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'the' },
          { type: 'text', text: 'price' },
        ],
      },
    ],
    tools: [{ type: 'function', function: { name: 'f' } }],
    n: 1,
    frequency_penalty: 0,
    response_format: { type: 'text' },
    logit_bias: null,
    tool_choice: 'auto',
    user: 'somebody',
    metadata: { a: 'b' },
  });
  expect(reply.status).toBe(200);
  expect(engine.requests[0]?.prompt).toEqual(ids('the price tool'));
  // The longest answer is what fits.
  expect(engine.requests[0]?.sampling.maxTokens).toBe(40 - ids('the price tool').length);
});

test('a field that is not known is refused as at OpenAI, with the nearest that is', async () => {
  const { post, engine } = gateway(says('ok'));
  const reply = await post({
    ...question,
    max_token: 3,
    made_up_entirely: 1,
    stream_options: { include_usages: true },
  });
  expect(reply.status).toBe(400);
  const { error } = (await reply.json()) as { readonly error: Record<string, unknown> };
  expect(error).toMatchObject({ type: 'invalid_request_error', code: 'unknown_parameter', param: 'max_token' });
  expect(String(error.message).split('\n')).toEqual([
    'max_token: Unrecognized request argument supplied: max_token. Did you mean max_tokens?',
    'made_up_entirely: Unrecognized request argument supplied: made_up_entirely. Leave it out.',
    'stream_options.include_usages: Unrecognized request argument supplied: include_usages. Did you mean include_usage?',
    'stream_options: is given without stream. Add "stream": true.',
  ]);
  expect(engine.requests).toEqual([]);
});

test('a client that goes away frees its place, and what it had is on record as aborted', async () => {
  for (const stream of [true, false]) {
    const second = Promise.withResolvers<void>();
    const { post, captures, engine, drain } = gateway({
      answer: () => ids('the close price'),
      before: (_, index) => {
        if (index !== 1) return;
        second.resolve();
        return new Promise<void>(() => {});
      },
    });
    const client = new AbortController();
    const asked = post({ ...question, stream }, { signal: client.signal });
    if (stream) {
      const reader = (await asked).body?.getReader();
      await reader?.read();
      await reader?.read();
      const pending = reader?.read();
      await second.promise;
      await reader?.cancel();
      await pending;
    } else {
      await second.promise;
      client.abort();
      await asked;
    }
    await drain();
    expect(engine.active).toBe(0);
    expect(captures).toMatchObject([{ answer: 'the', completionTokens: 1, finishReason: 'aborted' }]);
  }
});

test('a server that goes down takes nothing new, and breaks off what does not end', async () => {
  const held = gateway({
    answer: () => ids('the close'),
    before: (_, index) => (index === 1 ? new Promise<void>(() => {}) : undefined),
  });
  const reader = (await held.post({ ...question, stream: true })).body
    ?.pipeThrough(new TextDecoderStream())
    .getReader();
  await reader?.read();
  await reader?.read();
  const drained = held.drain();
  expect((await held.post(question)).status).toBe(503);
  held.abort();
  expect((await reader?.read())?.value).toContain('"code":"aborted"');
  expect((await reader?.read())?.done).toBe(true);
  await drained;
  expect(held.captures).toMatchObject([{ answer: 'the', finishReason: 'aborted' }]);
});

test('more than may wait are turned away, and places come back', async () => {
  const open = Promise.withResolvers<void>();
  const { post } = gateway({ answer: () => ids('the'), before: () => open.promise });
  const running = [post(question), post({ ...question, stream: true }).then((reply) => reply.text())];
  await Promise.resolve();
  const refused = await post(question);
  expect(refused.status).toBe(429);
  expect(refused.headers.get('retry-after')).toBe('1');
  open.resolve();
  await Promise.all(running);
  expect((await post(question)).status).toBe(200);
});

test('an engine that fails is told as it can be told: a status, or an event in a stream', async () => {
  const failing: FakeEngineOptions = {
    answer: () => ids('the close'),
    before: (_, index) => {
      if (index === 1) throw new Error('secret insides');
    },
  };
  const logged: string[] = [];
  const { post, captures } = gateway(failing, { log: (line) => logged.push(line) });
  const whole = await post(question);
  expect(whole.status).toBe(500);
  expect(await whole.text()).not.toContain('secret');
  const events = eventsOf(await (await post({ ...question, stream: true })).text());
  expect(events).not.toContain('[DONE]');
  expect(JSON.parse(events.at(-1) ?? '')).toMatchObject({ error: { type: 'server_error' } });
  expect(captures.map(({ finishReason, answer }) => [finishReason, answer])).toEqual([
    ['failed', 'the'],
    ['failed', 'the'],
  ]);
  expect(logged.join()).toContain('secret insides');
});

test('an answer that cannot be put on record is not given as whole', async () => {
  const { post } = gateway(says('the'), {
    capture: async () => {
      throw new Error('disk full');
    },
  });
  expect((await post(question)).status).toBe(500);
  const events = eventsOf(await (await post({ ...question, stream: true })).text());
  expect(events.join()).not.toContain('"finish_reason":"stop"');
  expect(events).not.toContain('[DONE]');
});

test('the key is wanted of everything but health, and other names are not answered', async () => {
  const { app } = gateway(says('x'), { apiKey: 'right', hostNames: ['localhost'] });
  const get = async (path: string, headers: Record<string, string> = {}) =>
    (await app.request(`http://localhost${path}`, { headers })).status;
  expect(await get('/v1/models')).toBe(401);
  expect(await get('/v1/models', { authorization: 'Bearer wrong' })).toBe(401);
  expect(await get('/v1/models', { authorization: 'Bearer right' })).toBe(200);
  expect(await get('/health')).toBe(200);
  expect(await get('/health', { host: 'evil.example:8000' })).toBe(403);
  expect(await get('/nowhere', { authorization: 'Bearer right' })).toBe(404);
});

test('a page of elsewhere cannot put words on record, one of this machine can ask', async () => {
  const { post, captures } = gateway(says('the'), { hostNames: ['localhost'] });
  const from = async (origin: string) => (await post(question, { headers: { origin } })).status;
  expect(await from('https://evil.example')).toBe(403);
  expect(await from('null')).toBe(403);
  expect(captures).toEqual([]);
  expect(await from('http://localhost:3000')).toBe(200);
});

test('models are listed, and found by name or address', async () => {
  const { app } = gateway(says('x'));
  const get = async (path: string) => (await app.request(path)).json();
  expect(await get('/v1/models')).toMatchObject({ object: 'list', data: [{ id: 'base' }, { id: 'market-brief' }] });
  expect(await get('/v1/models/market-brief@2')).toMatchObject({ id: 'market-brief', object: 'model' });
  expect(await get('/v1/models/bas')).toMatchObject({ error: { code: 'model_not_found' } });
  expect(await get('/health')).toMatchObject({ ready: true, deployment: 'market-brief@1' });
});
