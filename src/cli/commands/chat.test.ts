import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { Command } from 'commander';
import { expect, onTestFinished, test } from 'vitest';
import { testContext } from '../test-context.ts';
import { command } from './chat.ts';

/** A server that repeats the last message in pieces, behind what it always says first, and the requests it had. */
async function echoServer(before = '') {
  const requests: { model: string; messages: { content: string }[] }[] = [];
  const server = createServer(async (request, reply) => {
    if (request.url === '/v1/models') return reply.end(JSON.stringify({ data: [{ id: 'base' }, { id: 'brief' }] }));
    const asked = JSON.parse((await Array.fromAsync(request)).join(''));
    requests.push(asked);
    const said: string = asked.messages.at(-1).content;
    if (asked.model === 'nope')
      return reply.writeHead(404).end(JSON.stringify({ error: { message: 'no such model' } }));
    if (said === 'fail') return reply.writeHead(429).end(JSON.stringify({ error: { message: 'too many' } }));
    if (said === 'long')
      return reply
        .writeHead(400)
        .end(JSON.stringify({ error: { message: 'too long', code: 'context_length_exceeded' } }));
    const event = (content: string): string => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;
    const text = `${[...`${before}${said}`].map(event).join('')}data: [DONE]\n\n`;
    // Cut in the middle of an event, as networks do.
    reply.write(text.slice(0, 25));
    reply.end(text.slice(25));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

async function chat(lines: string, ...words: string[]) {
  const stdin = Readable.from([lines]) as unknown as NodeJS.ReadStream;
  const { context, said } = testContext({ stdin });
  const program = new Command().exitOverride();
  command.register(program, context);
  await program.parseAsync(words, { from: 'user' });
  return { out: said.out, err: said.err, exit: said.code };
}

test('a conversation is kept, reset and moved to another model; a refusal leaves it as it was', async () => {
  const { url, requests } = await echoServer();
  const { out, err, exit } = await chat(
    'one\nfail\ntwo\n/model base\n/model none\n/reset\nthree\n/quit\nfour\n',
    '--url',
    `${url}/v1/`,
  );
  expect(out).toBe('one\ntwo\nthree\n');
  expect(err).toContain('too many');
  expect(exit, 'one of the answers failed').toBe(1);
  expect(err).toContain('there is base, brief');
  expect(requests.map(({ model, messages }) => [model, ...messages.map(({ content }) => content)])).toEqual([
    ['brief', 'one'],
    ['brief', 'one', 'one', 'fail'],
    ['brief', 'one', 'one', 'two'],
    ['base', 'three'],
  ]);
});

test('the space before a first word is not printed, and is kept in what the model is told', async () => {
  const { url, requests } = await echoServer(' ');
  expect((await chat('one\ntwo\n', '--url', url)).out).toBe('one\ntwo\n');
  expect(requests.at(-1)?.messages.map(({ content }) => content)).toEqual(['one', ' one', 'two']);
});

test('a conversation that has grown too long is told how to begin anew; a first question is not', async () => {
  const { url } = await echoServer();
  expect((await chat('long\n', '--url', url)).err).toBe('error too long\n');
  const grown = await chat('one\nlong\n', '--url', url);
  expect(grown.err).toBe('error too long\n/reset forgets the conversation\n');
});

test('a model the server does not know is told with those it has', async () => {
  const { url } = await echoServer();
  expect(await chat('one\n', '--url', url, '--model', 'nope')).toEqual({
    out: '',
    err: 'error no such model\nthere is base, brief\n',
    exit: 1,
  });
  expect(await chat('one\n', '--url', url)).toEqual({ out: 'one\n', err: '', exit: 0 });
});

test('without a server it says how to start one', async () => {
  await expect(chat('', '--url', 'http://127.0.0.1:1')).rejects.toMatchObject({
    code: 'no-server',
    hint: expect.stringContaining('martlet serve'),
  });
});
