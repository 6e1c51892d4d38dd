import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parentPort } from 'node:worker_threads';
import type { Tokenizer } from '@anush008/tokenizers';
import type { TokenizerBridge } from './tokenizer-bridge.ts';
import type { TokenizerReply, TokenizerRequest } from './tokenizer-request.ts';

// Loaded before anything is asked: a worker that was woken early has it ready.
const native = createRequire(import.meta.url)('@anush008/tokenizers') as typeof import('@anush008/tokenizers');
const tokenizers = new Map<string, Tokenizer>();

parentPort?.on('message', ({ port, turn }: TokenizerBridge) => {
  port.on('message', async (request: TokenizerRequest) => {
    if (request.kind === 'prepare' || request.kind === 'read') return prepare(request);
    let reply: TokenizerReply;
    try {
      reply = await answer(request);
    } catch (error) {
      reply = { error: error instanceof Error ? error.message : String(error) };
    }
    port.postMessage(reply);
    Atomics.add(turn, 0, 1);
    Atomics.notify(turn, 0);
  });
});

/** Truncation, padding and what is put around a text belong to others; without them offsets cover the text, spaces too. */
function open({ key, text }: { readonly key: string; readonly text: string }): void {
  const bare = { ...JSON.parse(text), truncation: null, padding: null, post_processor: null };
  tokenizers.set(key, native.Tokenizer.fromString(JSON.stringify(bare)));
}

function prepare(request: Extract<TokenizerRequest, { kind: 'prepare' | 'read' }>): void {
  try {
    const definition = request.kind === 'read' ? readDefinition(request.file) : request;
    if (!tokenizers.has(definition.key)) open(definition);
  } catch {
    // It is opened once more for whoever asks, who is told.
  }
}

/** Its key is its fingerprint, as `openTokenizer` takes it. */
function readDefinition(file: string): { readonly key: string; readonly text: string } {
  const bytes = readFileSync(file);
  return { key: hash('sha256', bytes), text: bytes.toString('utf8') };
}

async function answer(request: Exclude<TokenizerRequest, { kind: 'prepare' | 'read' }>): Promise<TokenizerReply> {
  if (request.kind === 'has') return { has: tokenizers.has(request.key) };
  if (request.kind === 'open') {
    open(request);
    return { text: '' };
  }
  const tokenizer = tokenizers.get(request.key);
  if (!tokenizer) return { error: 'this tokenizer was never opened' };
  if (request.kind === 'decode') return { text: await tokenizer.decode([...request.ids], request.skipSpecial) };
  const encoding = await tokenizer.encode(request.text, null, { addSpecialTokens: false });
  const offsets = Uint32Array.from(encoding.getOffsets().flat());
  countInUtf16(offsets, request.text);
  return { ids: Uint32Array.from(encoding.getIds()), offsets };
}

/** The crate counts code points, JavaScript UTF-16 units; they part at the first character beyond U+FFFF. */
function countInUtf16(offsets: Uint32Array, text: string): void {
  if (!/[\ud800-\udbff]/.test(text)) return;
  const starts: number[] = [];
  let at = 0;
  for (const character of text) {
    starts.push(at);
    at += character.length;
  }
  starts.push(at);
  for (let i = 0; i < offsets.length; i++) offsets[i] = starts[offsets[i] as number] ?? at;
}
