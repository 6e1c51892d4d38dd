import type { Tensor } from 'onnxruntime-common';
import { invariant, MartletError } from '../core/error.ts';
import type { ModelConfig } from '../spec/train-engine.ts';
import { decodeGraph } from './decode-graph.ts';
import { type AdapterShape, adapterParameters, joinedNames, type LinearName, linearNames } from './llama.ts';
import { blockName, type Model, rotaryTables } from './model.ts';
import type { OnnxWeight } from './onnx.ts';
import type { Program, Runtime } from './runtime.ts';
import type { Trained } from './trained.ts';

/** Sequences that are being continued together, each with a slot of the KV cache. Slots in use are always 0 .. active - 1. */
export interface Decoder {
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

/** The weights of a model, packed for answering; the decoders of all adapters on it share them. */
export interface DecodeBase extends AsyncDisposable {
  readonly runtime: Runtime;
  readonly config: ModelConfig;
  readonly targets: readonly LinearName[];
  readonly program: Program;
}

/** The runtime takes its own copy of the weights: the model is no longer needed afterwards. */
export async function openDecodeBase(options: {
  readonly runtime: Runtime;
  readonly model: Model;
  /** What the adapters may change that it will answer with. */
  readonly targets: readonly LinearName[];
}): Promise<DecodeBase> {
  const { runtime, model, targets } = options;
  const { config } = model;
  const program = await runtime.compile(decodeGraph({ config, targets, weights: decodeWeights(model) }), {
    model: model.values,
  });
  return { runtime, config, targets, program, [Symbol.asyncDispose]: () => program.release() };
}

export interface DecoderOptions {
  /** Must outlive the decoder. */
  readonly base: DecodeBase;
  /** Null answers as the base. Its values are copied. */
  readonly adapter: { readonly shape: AdapterShape; readonly trained: Trained } | null;
  readonly slots: number;
  readonly maxLength: number;
}

/** A pass over so few tokens takes little longer than over one: reading the weights is what takes the time. */
const maxExtension = 8;

export function openDecoder(options: DecoderOptions): Decoder {
  const { base, slots, maxLength } = options;
  const { runtime, config, program } = base;
  const { vocab_size: vocabulary, num_hidden_layers: layers, num_key_value_heads: pairs, head_dim: head } = config;
  const tables = rotaryTables(config, maxLength);
  const half = head / 2;
  const fixed: Readonly<Record<string, Tensor>> = {
    cos: runtime.float(tables.cos, [maxLength, half]),
    sin: runtime.float(tables.sin, [maxLength, half]),
    ...adapterFeeds(base, options.adapter),
  };

  const slotSize = pairs * maxLength * head;
  const caches = Array.from({ length: layers }, () => ({
    keys: new Float32Array(slots * slotSize),
    values: new Float32Array(slots * slotSize),
  }));
  const lengths = new Int32Array(slots);
  const logits = new Float32Array(Math.max(slots, maxExtension) * vocabulary);
  let active = 0;

  /** The caches of some slots as tensors; kept for the slots of the last call. */
  let kept: { readonly key: string; readonly tensors: readonly (readonly [string, Tensor])[] } | undefined;
  const cacheTensors = (first: number, count: number): readonly (readonly [string, Tensor])[] => {
    const key = `${first} ${count}`;
    if (kept?.key === key) return kept.tensors;
    const range = [first * slotSize, (first + count) * slotSize] as const;
    const tensors = caches.flatMap((cache, layer) =>
      (['keys', 'values'] as const).map(
        (part) =>
          [`${part}.${layer}`, runtime.float(cache[part].subarray(...range), [count, pairs, maxLength, head])] as const,
      ),
    );
    kept = { key, tensors };
    return tensors;
  };

  /** Runs over slots `first` .. `first + count - 1`, whose cache lies together. */
  const run = async (request: {
    readonly first: number;
    readonly count: number;
    /** As many for each slot, slot after slot. */
    readonly ids: ArrayLike<number>;
    readonly lengths: Int32Array;
    /** Which of the ids have their logits come out. */
    readonly picks: readonly number[];
  }): Promise<Float32Array> => {
    const { first, count, ids, picks } = request;
    const result = logits.subarray(0, picks.length * vocabulary);
    const feeds: Record<string, Tensor> = { ...fixed };
    const fetches: Record<string, Tensor> = { logits: runtime.float(result, [picks.length, vocabulary]) };
    for (const [name, tensor] of cacheTensors(first, count)) {
      feeds[name] = tensor;
      fetches[`${name}.next`] = tensor;
    }
    const after = request.lengths;
    feeds.ids = runtime.tensor({
      dtype: 'int64',
      data: BigInt64Array.from(Array.from(ids), BigInt),
      shape: [ids.length],
    });
    feeds.batch = runtime.tensor({ dtype: 'int64', data: BigInt64Array.of(BigInt(count)), shape: [1] });
    feeds.picks = runtime.tensor({ dtype: 'int64', data: BigInt64Array.from(picks, BigInt), shape: [picks.length] });
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
      return run({
        first: slot,
        count: 1,
        ids: prompt,
        lengths: Int32Array.of(prompt.length),
        picks: [prompt.length - 1],
      });
    },
    async step(tokens) {
      if (tokens.length !== active) throw new MartletError('bug', `${tokens.length} tokens for ${active} sequences`);
      const after = lengths.subarray(0, active).map((length) => length + 1);
      if (after.some((length) => length > maxLength))
        throw new MartletError('bug', 'a sequence is longer than its slot');
      const result = await run({ first: 0, count: active, ids: tokens, lengths: after, picks: places(active) });
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
      const picks = places(tokens.length);
      const result = await run({ first: 0, count: 1, ids: tokens, lengths: after, picks });
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
  };
}

/** What of the base's targets an adapter does not change gets one of rank 0, which adds nothing. */
function adapterFeeds(base: DecodeBase, adapter: DecoderOptions['adapter']): Record<string, Tensor> {
  const { runtime, config, targets } = base;
  const foreign = adapter?.shape.targets.filter((target) => !targets.includes(target)) ?? [];
  invariant(foreign.length === 0, `the base was not opened for adapters of ${foreign.join(', ')}`);
  const feeds: Record<string, Tensor> = {};
  for (const target of targets) {
    const rank = adapter?.shape.targets.includes(target) ? adapter.shape.rank : 0;
    const shapes = Object.entries(adapterParameters(config, { rank, targets: [target] }));
    for (let layer = 0; layer < config.num_hidden_layers; layer++)
      for (const [part, shape] of shapes) {
        const name = blockName(layer, part);
        const values = rank > 0 && adapter ? adapter.trained.parameters.view(adapter.trained.values, name) : [];
        const scale = part.includes('lora_B') ? (adapter?.shape.scale ?? 1) : 1;
        feeds[name] = runtime.float(
          Float32Array.from(values, (value) => scale * value),
          shape,
        );
      }
  }
  return feeds;
}

const places = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

/** Where the graph's weights stand in the buffer `model`. */
function decodeWeights(model: Model): readonly OnnxWeight[] {
  const location = 'model';
  const own = model.parameters.entries.map(({ name, shape, offset }) => ({
    name,
    shape,
    location,
    offsetBytes: 4 * offset,
  }));
  const layers = Array.from({ length: model.config.num_hidden_layers }, (_, layer) => blockName(layer, ''));
  const joined = layers.flatMap((layer) =>
    Object.entries(joinedNames).map(([together, names]): OnnxWeight => {
      const parts = names.map((name) => model.parameters.entry(`${layer}${linearNames[name]}.weight`));
      parts.reduce((before, part) => {
        invariant(before.offset + before.size === part.offset, `${part.name} does not lie behind ${before.name}`);
        return part;
      });
      const [first] = parts;
      const rows = parts.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
      return {
        name: layer + together,
        shape: [rows, first?.shape[1] ?? 0],
        location,
        offsetBytes: 4 * (first?.offset ?? 0),
      };
    }),
  );
  return [...joined, ...own];
}
