import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe } from 'vitest';
import { environmentPython } from '../../src/envs/index.ts';
import { isolatedEnv } from '../../src/envs/python-environment.ts';
import type { Json } from '../../src/schema/common.ts';
import { requireOrSkip } from './skip.ts';

const scripts = fileURLToPath(new URL('../oracles/', import.meta.url));
const reason = 'needs the oracles environment: martlet setup oracles';

/** Whether the reference libraries are there to compare with. */
export async function oraclesReady(): Promise<boolean> {
  return (await environmentPython({ name: 'oracles', env: process.env })) !== undefined;
}

/**
 * A suite that compares with the reference libraries. Without their environment each of its tests is skipped by name;
 * with CI=true that counts as a failure. Call `oracle` in tests or `beforeEach`, never in `beforeAll`, which runs even so.
 */
export function describeWithOracles(name: string, body: () => void): void {
  describe(name, () => {
    beforeEach(async (context) => requireOrSkip(context, await oraclesReady(), { kind: 'tool', reason }));
    body();
  });
}

/**
 * Runs `tests/oracles/<script>.py` on a request. One Python process serves all requests of this process, one after the
 * other, so that its libraries are imported once; it ends with this process.
 * @throws Error with Python's traceback.
 */
export async function oracle<Answer>(script: OracleScript, request: { readonly [key: string]: Json }): Promise<Answer> {
  server ??= startServer();
  const { send } = await server;
  return (await send(script, request)) as Answer;
}

export type OracleScript =
  | 'chat_template'
  | 'full_parity'
  | 'generate'
  | 'gguf_dequantize'
  | 'jinja_golden'
  | 'jinja_table'
  | 'jinja_templates'
  | 'logits'
  | 'make_model'
  | 'rows'
  | 'shards'
  | 'tokenize_text'
  | 'train_parity';

interface Server {
  send(script: OracleScript, request: Json): Promise<Json>;
}

interface Waiting {
  readonly resolve: (answer: Json) => void;
  readonly reject: (error: Error) => void;
}

let server: Promise<Server> | undefined;

async function startServer(): Promise<Server> {
  const python = await environmentPython({ name: 'oracles', env: process.env });
  if (python === undefined) throw new Error(reason);
  const env = { ...isolatedEnv(process.env), TOKENIZERS_PARALLELISM: 'false', HF_HUB_OFFLINE: '1' };
  const child = spawn(python, ['-W', 'ignore', 'serve.py'], { cwd: scripts, env, stdio: ['pipe', 'pipe', 'pipe'] });
  const waiting = new Map<number, Waiting>();
  const said: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    said.push(line);
    if (said.length > 50) said.shift();
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    const message = JSON.parse(line) as { id: number; answer?: Json; error?: string };
    const request = waiting.get(message.id);
    waiting.delete(message.id);
    if (waiting.size === 0) hold(child, false);
    if (message.error === undefined) request?.resolve(message.answer ?? null);
    else request?.reject(new Error(`the oracle failed:\n${message.error}`));
  });
  child.on('exit', (code, signal) => {
    server = undefined;
    for (const request of waiting.values())
      request.reject(new Error(`the oracle ended with ${code ?? signal}:\n${said.join('\n')}`));
    waiting.clear();
  });
  child.stdin.on('error', () => {});
  hold(child, false);
  let last = 0;
  return {
    send: (script, request) =>
      new Promise((resolve, reject) => {
        const id = ++last;
        waiting.set(id, { resolve, reject });
        hold(child, true);
        child.stdin.write(`${JSON.stringify({ id, script, request })}\n`);
      }),
  };
}

/** Whether this process must stay alive for the child: only while it owes an answer. */
function hold(child: ChildProcessByStdio<Writable, Readable, Readable>, wanted: boolean): void {
  const sockets = [child.stdin, child.stdout, child.stderr] as unknown as { ref(): void; unref(): void }[];
  for (const one of [child, ...sockets]) wanted ? one.ref() : one.unref();
}
