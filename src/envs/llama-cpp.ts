import { MartletError } from '../core/error.ts';
import { environmentModule } from './index.ts';

/** A GGUF file opened in llama.cpp: an engine that is not ours, which shows that an export means what it says. */
export interface LlamaCppModel extends AsyncDisposable {
  readonly vocabularySize: number;
  /** Ids of text by the file's own vocabulary. With `special`, control tokens in the text become their ids. */
  tokenize(text: string, options?: { readonly special?: boolean }): readonly number[];
  /** The likeliest continuation, without the stop token. */
  complete(request: {
    readonly prompt: readonly number[];
    readonly maxTokens: number;
    readonly stopTokens: readonly number[];
    readonly signal?: AbortSignal | undefined;
  }): Promise<{ readonly ids: readonly number[]; readonly finishReason: 'stop' | 'length' }>;
  /** Logits after each of the given positions of one sequence (all when absent): raw, float32, [positions, vocabulary]. */
  logits(ids: readonly number[], positions?: readonly number[]): Promise<readonly Float32Array[]>;
}

export interface OpenLlamaCppOptions {
  readonly file: string;
  /** At most the physical cores: llama.cpp's threads wait by spinning, and one too many costs a thousandfold. */
  readonly threads: number;
  /** Longest sequence, prompt and completion together. */
  readonly contextTokens: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home?: string;
}

/** The vocabulary of a GGUF file alone: no weights are loaded, and none need to be in it. */
export interface LlamaCppVocabulary extends AsyncDisposable {
  /** Ids of text, control tokens in it included, with the token in front that the file asks for. */
  tokenize(text: string): readonly number[];
}

/** @throws MartletError as `openGgufWithLlamaCpp` */
export async function openVocabularyWithLlamaCpp(
  options: Pick<OpenLlamaCppOptions, 'file' | 'env' | 'home'>,
): Promise<LlamaCppVocabulary> {
  const { llama, model } = await loadGguf({ ...options, threads: 1, vocabOnly: true });
  const { bos, shouldPrependBosToken } = model.tokens;
  return {
    tokenize(text) {
      const ids = model.tokenize(text, true);
      // As llama.cpp's server does: the token in front is not written twice.
      return shouldPrependBosToken && bos !== null && ids[0] !== bos ? [bos, ...ids] : ids;
    },
    async [Symbol.asyncDispose]() {
      await llama.dispose();
    },
  };
}

/**
 * @throws MartletError `environment-missing` before `martlet setup llama-cpp`; `gguf-refused` when llama.cpp does not
 * take the file, with its reason.
 */
export async function openGgufWithLlamaCpp(options: OpenLlamaCppOptions): Promise<LlamaCppModel> {
  const { llama, model, refused } = await loadGguf({ ...options, vocabOnly: false });
  try {
    const context = await model.createContext({
      sequences: 1,
      contextSize: options.contextTokens,
      batchSize: Math.min(options.contextTokens, 512),
      threads: options.threads,
      // A half-precision cache, the default, would add errors that are not the file's.
      experimentalKvCacheKeyType: 'F32',
      experimentalKvCacheValueType: 'F32',
      flashAttention: false,
    });
    return wrap({ llama, model, sequence: context.getSequence(), contextTokens: options.contextTokens });
  } catch (cause) {
    await llama.dispose();
    throw refused(cause);
  }
}

interface Loaded {
  readonly llama: Llama;
  readonly model: LlamaModel;
  /** What a failure of llama.cpp is told as. */
  readonly refused: (cause: unknown) => MartletError;
}

async function loadGguf(
  options: Pick<OpenLlamaCppOptions, 'file' | 'threads' | 'env' | 'home'> & { readonly vocabOnly: boolean },
): Promise<Loaded> {
  const { file, env, home, threads, vocabOnly } = options;
  const place = { name: 'llama-cpp', env, ...(home === undefined ? {} : { home }) };
  const { getLlama } = (await import(await environmentModule(place, 'node-llama-cpp'))) as NodeLlamaCpp;
  const said: string[] = [];
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    maxThreads: threads,
    progressLogs: false,
    logLevel: 'error',
    logger: (_level, message) => void said.push(message.trim()),
  });
  const refused = (cause: unknown): MartletError => {
    const reason = said.at(-1) ?? (cause as Error).message;
    return new MartletError('gguf-refused', `llama.cpp does not take ${file}: ${reason}`, { cause });
  };
  try {
    return { llama, model: await llama.loadModel({ modelPath: file, gpuLayers: 0, vocabOnly }), refused };
  } catch (cause) {
    await llama.dispose();
    throw refused(cause);
  }
}

function wrap(open: {
  llama: Llama;
  model: LlamaModel;
  sequence: LlamaSequence;
  contextTokens: number;
}): LlamaCppModel {
  const { llama, model, sequence, contextTokens } = open;
  const vocabularySize = model.fileInfo.metadata.tokenizer.ggml.tokens.length;
  const begin = async (length: number): Promise<void> => {
    if (length > contextTokens)
      throw new MartletError('context-too-short', `${length} tokens do not fit into a context of ${contextTokens}`);
    await sequence.clearHistory();
  };
  return {
    vocabularySize,
    tokenize: (text, { special = false } = {}) => [...model.tokenize(text, special, 'trimLeadingSpace')],
    async complete({ prompt, maxTokens, stopTokens, signal }) {
      await begin(prompt.length + maxTokens);
      const ids: number[] = [];
      // The end-of-turn token is reported, so that our stop tokens decide and not the ones the file names.
      for await (const id of sequence.evaluate([...prompt], { temperature: 0, yieldEogToken: true })) {
        signal?.throwIfAborted();
        if (stopTokens.includes(id)) return { ids, finishReason: 'stop' };
        ids.push(id);
        if (ids.length >= maxTokens) break;
      }
      return { ids, finishReason: 'length' };
    },
    async logits(ids, positions = ids.map((_, index) => index)) {
      await begin(ids.length);
      const wanted = new Set(positions);
      const found = new Map<number, Float32Array>();
      // Each position is turned into an array as it comes: as maps, a long sequence would not fit in memory.
      const onTokenResult = (index: number, { next }: { next: { logits?: Map<number, number> } }): void => {
        const row = new Float32Array(vocabularySize).fill(Number.NEGATIVE_INFINITY);
        for (const [id, logit] of next.logits ?? []) row[id] = logit;
        next.logits?.clear();
        found.set(index, row);
      };
      const generateNext = { logits: true, options: { temperature: 0 } } as const;
      await sequence.controlledEvaluate(
        ids.map((id, index) => (wanted.has(index) ? [id, { generateNext }] : id)),
        { onTokenResult },
      );
      return positions.map((position) => {
        const row = found.get(position);
        if (!row) throw new MartletError('gguf-refused', `llama.cpp gave no logits for position ${position}`);
        return row;
      });
    },
    async [Symbol.asyncDispose]() {
      await llama.dispose();
    },
  };
}

/** The part of node-llama-cpp that is used; the package is not a dependency, so its types are not there. */
interface NodeLlamaCpp {
  getLlama(options: {
    gpu: false;
    build: 'never';
    skipDownload: true;
    maxThreads: number;
    progressLogs: false;
    logLevel: 'error';
    logger: (level: string, message: string) => void;
  }): Promise<Llama>;
}

interface Llama {
  loadModel(options: { modelPath: string; gpuLayers: 0; vocabOnly: boolean }): Promise<LlamaModel>;
  dispose(): Promise<void>;
}

interface LlamaModel {
  readonly fileInfo: { readonly metadata: { readonly tokenizer: { readonly ggml: { readonly tokens: string[] } } } };
  readonly tokens: { readonly bos: number | null; readonly shouldPrependBosToken: boolean };
  tokenize(text: string, special: boolean, options?: 'trimLeadingSpace'): number[];
  createContext(options: {
    sequences: 1;
    contextSize: number;
    batchSize: number;
    threads: number;
    experimentalKvCacheKeyType: 'F32';
    experimentalKvCacheValueType: 'F32';
    flashAttention: false;
  }): Promise<{ getSequence(): LlamaSequence }>;
}

interface LlamaSequence {
  clearHistory(): Promise<void>;
  evaluate(tokens: number[], options: { temperature: 0; yieldEogToken: true }): AsyncIterable<number>;
  controlledEvaluate(
    input: (number | [number, { generateNext: { logits: true; options: { temperature: number } } }])[],
    options: { onTokenResult: (index: number, result: { next: { logits?: Map<number, number> } }) => void },
  ): Promise<unknown>;
}
