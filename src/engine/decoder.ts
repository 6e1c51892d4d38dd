import type { Tensor } from 'onnxruntime-common';
import { MartletError } from '../core/error.ts';
import { decodeGraph } from './decode-graph.ts';
import type { AdapterShape } from './llama.ts';
import { blockName, embeddingName, headName, type Model, normName, rotaryTables } from './model.ts';
import type { Program, Runtime } from './runtime.ts';
import type { Trained } from './trained.ts';

/** Sequences that are being continued together, each with a slot of the KV cache. Slots in use are always 0 .. active - 1. */
export interface Decoder extends AsyncDisposable {
  readonly slots: number;
  /** Most tokens of a sequence, prompt included. */
  readonly maxLength: number;
  active(): number;
  /** Reads a prompt into the next free slot. @returns logits [V] after its last token; valid until the next call. */
  admit(prompt: ArrayLike<number>): Promise<Float32Array>;
  /** Appends one token to each active slot. @returns logits [active, V], row by row; valid until the next call. */
  step(tokens: readonly number[]): Promise<Float32Array>;
  /** Appends several tokens to the only active slot. @returns logits [tokens, V], row by row; valid until the next call. */
  extend(tokens: readonly number[]): Promise<Float32Array>;
  /** Tokens that still fit into a slot. */
  room(slot: number): number;
  /** Takes the last tokens of a slot back. */
  rewind(slot: number, count: number): void;
  /** Most tokens `extend` takes. */
  readonly maxExtension: number;
  /** Frees a slot. The last active one moves into its place, unless it was the last itself. */
  release(slot: number): void;
}

export interface DecoderOptions {
  readonly runtime: Runtime;
  readonly model: Model;
  readonly adapter: { readonly shape: AdapterShape; readonly trained: Trained } | null;
  readonly slots: number;
  readonly maxLength: number;
}

/** A pass over so few tokens takes little longer than over one: reading the weights is what takes the time. */
const maxExtension = 8;

export async function openDecoder(options: DecoderOptions): Promise<Decoder> {
  const { runtime, model, slots, maxLength } = options;
  const { config } = model;
  const {
    hidden_size: hidden,
    vocab_size: vocabulary,
    num_hidden_layers: layers,
    num_key_value_heads: pairs,
    head_dim: head,
  } = config;
  const adapter = options.adapter ? { ...options.adapter, shape: { ...options.adapter.shape, dropout: 0 } } : null;
  const compile = (kind: 'prefill' | 'decode' | 'extend'): Promise<Program> =>
    runtime.compile(decodeGraph({ config, adapter: adapter?.shape ?? null, kind }));
  const [prefill, decode, extend] = await Promise.all([compile('prefill'), compile('decode'), compile('extend')]);

  const tables = rotaryTables(config, maxLength);
  const weights: Record<string, Tensor> = {
    cos: runtime.float(tables.cos, [maxLength, head / 2]),
    sin: runtime.float(tables.sin, [maxLength, head / 2]),
    norm: model.tensor(normName),
    head: model.tensor(headName(config)),
  };
  const block = blockName(0, '').replace('0.', '');
  for (const { name } of model.parameters.entries) if (name.startsWith(block)) weights[name] = model.tensor(name);
  if (adapter) {
    const { parameters, values } = adapter.trained;
    for (const { name, shape } of parameters.entries)
      weights[name] = runtime.float(parameters.view(values, name), shape);
  }

  const slotSize = pairs * maxLength * head;
  const caches = Array.from({ length: layers }, () => ({
    keys: new Float32Array(slots * slotSize),
    values: new Float32Array(slots * slotSize),
  }));
  const lengths = new Int32Array(slots);
  const embedding = model.parameters.view(model.values, embeddingName);
  const logits = new Float32Array(Math.max(slots, maxExtension) * vocabulary);
  let active = 0;

  const embed = (ids: ArrayLike<number>): Float32Array => {
    const x = new Float32Array(ids.length * hidden);
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i] ?? 0;
      x.set(embedding.subarray(id * hidden, (id + 1) * hidden), i * hidden);
    }
    return x;
  };

  /** Runs over slots `first` .. `first + count - 1`, whose cache lies together. */
  const run = async (
    program: Program,
    request: {
      readonly first: number;
      readonly count: number;
      readonly ids: ArrayLike<number>;
      readonly lengths: Int32Array;
      /** Rows of logits that come out. */
      readonly rows: number;
    },
  ): Promise<Float32Array> => {
    const { first, count, ids, rows } = request;
    const feeds: Record<string, Tensor> = { ...weights };
    const result = logits.subarray(0, rows * vocabulary);
    const fetches: Record<string, Tensor> = { logits: runtime.float(result, [rows, vocabulary]) };
    caches.forEach((cache, layer) => {
      for (const part of ['keys', 'values'] as const) {
        const slice = cache[part].subarray(first * slotSize, (first + count) * slotSize);
        const tensor = runtime.float(slice, [count, pairs, maxLength, head]);
        feeds[`${part}.${layer}`] = tensor;
        fetches[`${part}.${layer}.next`] = tensor;
      }
    });
    const after = request.lengths;
    feeds.x = runtime.float(embed(ids), [ids.length, hidden]);
    feeds.lengths = runtime.tensor({ dtype: 'int32', data: after.map((length) => length - 1), shape: [count] });
    feeds.longest = runtime.tensor({ dtype: 'int32', data: Int32Array.of(Math.max(...after)), shape: [1] });
    await program.run(feeds, fetches);
    return result;
  };

  return {
    slots,
    maxLength,
    active: () => active,
    async admit(prompt) {
      if (active === slots) throw new MartletError('bug', 'every slot is taken');
      if (prompt.length === 0 || prompt.length >= maxLength)
        throw new MartletError(
          'prompt-too-long',
          `a prompt of ${prompt.length} tokens does not fit in ${maxLength} with room for an answer`,
        );
      const slot = active++;
      lengths[slot] = prompt.length;
      return run(prefill, { first: slot, count: 1, ids: prompt, lengths: Int32Array.of(prompt.length), rows: 1 });
    },
    async step(tokens) {
      if (tokens.length !== active) throw new MartletError('bug', `${tokens.length} tokens for ${active} sequences`);
      const after = lengths.subarray(0, active).map((length) => length + 1);
      if (after.some((length) => length > maxLength))
        throw new MartletError('bug', 'a sequence is longer than its slot');
      const result = await run(decode, { first: 0, count: active, ids: tokens, lengths: after, rows: active });
      lengths.set(after);
      return result;
    },
    maxExtension,
    async extend(tokens) {
      const length = (lengths[0] ?? 0) + tokens.length;
      if (active !== 1 || tokens.length > maxExtension || length > maxLength)
        throw new MartletError(
          'bug',
          `${tokens.length} tokens cannot be added to ${active} sequences at ${lengths[0]}`,
        );
      const after = Int32Array.of(length);
      const result = await run(extend, { first: 0, count: 1, ids: tokens, lengths: after, rows: tokens.length });
      lengths[0] = length;
      return result;
    },
    room: (slot) => maxLength - (lengths[slot] ?? 0),
    rewind(slot, count) {
      // What stands behind the length is never looked at, and written over.
      lengths[slot] = (lengths[slot] ?? 0) - count;
    },
    release(slot) {
      const last = --active;
      if (slot === last) return;
      // Only what is filled: the rest of a slot may never have been touched.
      const filled = (lengths[last] ?? 0) * head;
      for (const cache of caches)
        for (const part of ['keys', 'values'] as const)
          for (let pair = 0; pair < pairs; pair++) {
            const from = last * slotSize + pair * maxLength * head;
            cache[part].copyWithin(slot * slotSize + pair * maxLength * head, from, from + filled);
          }
      lengths[slot] = lengths[last] ?? 0;
    },
    async [Symbol.asyncDispose]() {
      await prefill.release();
      await decode.release();
      await extend.release();
    },
  };
}
