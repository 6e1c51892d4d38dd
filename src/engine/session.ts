import { MartletError } from '../core/error.ts';
import { planHash } from '../core/plan-hash.ts';
import { randomStream, streamKey } from '../core/random.ts';
import type { Expression } from '../methods/expression.ts';
import { savesActivations } from '../recipe/memory.ts';
import { type Plan, plan as planDocument } from '../schema/plan.ts';
import type { ShardSplit } from '../schema/shards.ts';
import type {
  EvaluateRequest,
  EvaluateResult,
  GenerateRequest,
  GenerateResult,
  LoadRequest,
  LoadResult,
  PrepareRequest,
  ScoreRequest,
  ScoreResult,
  StepRequest,
  StepResult,
  TrainSession,
} from '../spec/train-engine.ts';
import { readDocument } from '../store/read-document.ts';
import { openShards, type Pack, type ShardReader } from '../store/shards/shard-reader.ts';
import { threadsOf } from '../store/stage.ts';
import { warmActivations } from './activations.ts';
import { type BufferPool, bufferPool } from './buffer-pool.ts';
import { type OptimizerState, readOptimizer, writeFullModel, writeOptimizer } from './checkpoint-files.ts';
import { openDecodeBase, openDecoder } from './decoder.ts';
import type { AdapterShape } from './llama.ts';
import { loadModel, type Model } from './model.ts';
import { openAdamW } from './optimizer.ts';
import { adapterShape, readAdapter, writeAdapter } from './peft.ts';
import type { Runtime } from './runtime.ts';
import { sampleToken } from './sampling.ts';
import { type Optimizer, scaleOf, trainStep } from './train-step.ts';
import { freshAdapter, type Trained } from './trained.ts';
import { openTrainer, type Trainer } from './trainer.ts';

interface Loaded {
  readonly runtime: Runtime;
  readonly plan: Plan;
  readonly baseFolder: string;
  readonly model: Model;
  readonly adapter: { readonly shape: AdapterShape; readonly trained: Trained } | null;
  readonly shards: ShardReader | null;
  readonly trainer: Trainer;
  readonly optimizer: Optimizer | null;
}

/**
 * Everything that is asked of the engine, in the process it computes in. `train-worker.ts` puts it behind messages.
 * @param runtimeWith ONNX Runtime on so many threads
 */
export function openSession(runtimeWith: (threads: number) => Runtime): TrainSession {
  let loaded: Loaded | undefined;
  const ahead = openAhead(runtimeWith(1));
  const windows = windowReader();
  const need = (): Loaded => {
    if (!loaded) throw new MartletError('bug', 'nothing is loaded yet');
    return loaded;
  };
  return {
    prepare: async (request) => ahead.prepare(request),
    async load(request) {
      loaded = await load(runtimeWith, request, ahead);
      const { plan, trainer, model } = loaded;
      const result: LoadResult = {
        planHash: plan.hash,
        trainableParameters: trainer.trained.parameters.size,
        config: model.config,
      };
      return result;
    },
    async step(request) {
      const { window } = request;
      const shards = window ? await windows.open(window.folder) : splitOf(need());
      return step(need(), request, shards.packsOf('train', request.step - (window?.firstStep ?? 0)));
    },
    evaluate: (request) => evaluate(need(), request),
    generate: (request) => generate(need(), request),
    score: (request) => score(need(), request),
    async save({ folder }) {
      const { adapter, model, baseFolder, trainer, optimizer } = need();
      if (adapter) await writeAdapter({ folder, shape: adapter.shape, trained: adapter.trained, base: baseFolder });
      else await writeFullModel({ folder, baseFolder, model, trained: trainer.trained });
      if (optimizer) await writeOptimizer(folder, optimizer.state, optimizer.step);
    },
    async gradients() {
      const { trainer } = need();
      const { parameters } = trainer.trained;
      return Object.fromEntries(
        parameters.entries.map(({ name, shape }) => [
          name,
          { shape, data: parameters.view(trainer.gradients, name).slice() },
        ]),
      );
    },
    async [Symbol.asyncDispose]() {
      loaded?.shards?.[Symbol.dispose]();
      windows.close();
      loaded = undefined;
    },
  };
}

interface Ahead {
  prepare(request: PrepareRequest): void;
  /** A model, read already or now. */
  model(folder: string): Promise<Model>;
  readonly buffers: BufferPool;
}

/** What is read and set up before it is asked for, while rows are still being made; asking for a model ends it. */
function openAhead(runtime: Runtime): Ahead {
  const buffers = bufferPool();
  const asked = new AbortController();
  const ignore = (): void => {};
  let early: { readonly folder: string; readonly model: Promise<Model> } | undefined;
  return {
    buffers,
    prepare({ baseFolder, planFile }) {
      // A hint that comes too late would read what nobody takes.
      if (asked.signal.aborted) return;
      early ??= { folder: baseFolder, model: loadModel(runtime, baseFolder) };
      early.model.catch(ignore);
      if (planFile !== undefined) warm(planFile, { model: early.model, buffers, signal: asked.signal }).catch(ignore);
    },
    async model(folder) {
      asked.abort();
      const known = early;
      early = undefined;
      if (known?.folder === folder) return known.model;
      // Of a full fine-tune that goes on, every weight is in the checkpoint: the base must not be held beside it.
      (await known?.model.catch(ignore))?.release();
      return loadModel(runtime, folder);
    },
  };
}

async function warm(
  planFile: string,
  how: { readonly model: Promise<Model>; readonly buffers: BufferPool; readonly signal: AbortSignal },
): Promise<void> {
  const [plan, model] = [await readPlan(planFile), await how.model];
  const { values, execution, predictions } = plan;
  if (predictions.tokens === 'unknown' || predictions.steps === 'unknown') return;
  const stepTokens = (predictions.tokens * values.train.epochs) / predictions.steps;
  const packs = Math.max(1, Math.ceil(stepTokens / execution.packTokens));
  await warmActivations({
    ...how,
    config: model.config,
    adapter: adapterShape(values.adapter),
    saveActivations: savesAll(plan, model),
    tokens: Math.min(execution.packTokens, Math.ceil(stepTokens / packs)),
  });
}

function savesAll({ values: { adapter }, execution: { packTokens, memoryGiB } }: Plan, model: Model): boolean {
  return savesActivations(
    { model: { ...model.config, parameters: model.parameters.size }, adapter, packTokens },
    memoryGiB,
  );
}

async function load(runtimeWith: (threads: number) => Runtime, request: LoadRequest, ahead: Ahead): Promise<Loaded> {
  const plan = await readPlan(request.planFile);
  const runtime = runtimeWith(threadsOf(plan));
  const { values, execution } = plan;
  const checkpoint = request.checkpointFolder;
  const fullCheckpoint = values.adapter.kind === 'full' && checkpoint !== null;
  const model = await ahead.model(fullCheckpoint ? checkpoint : request.baseFolder);
  const shape = adapterShape(values.adapter);
  const adapter =
    shape &&
    (checkpoint
      ? await readAdapter(checkpoint, model)
      : { shape, trained: freshAdapter(model, shape, values.train.seed) });
  const shards = request.shardsFolder ? await openShards(request.shardsFolder) : null;
  const training = request.purpose === 'training';
  const trainer = await openTrainer({
    runtime,
    model,
    adapter,
    loss: plan.loss as Expression,
    seed: values.train.seed,
    maxTokens: Math.max(execution.packTokens, values.render.lengthTokens, shards?.manifest.packTokens ?? 0),
    saveActivations: training && savesAll(plan, model),
    buffers: ahead.buffers,
  });
  const opened = { runtime, plan, baseFolder: request.baseFolder, model, adapter, shards, trainer };
  if (!training) return { ...opened, optimizer: null };
  const size = trainer.trained.parameters.size;
  const state: OptimizerState = { first: new Float32Array(size), second: new Float32Array(size) };
  // A checkpoint without its moments would train on as if at step 0: it is refused.
  const step = checkpoint ? await readOptimizer(checkpoint, state) : 0;
  return {
    ...opened,
    optimizer: { adamW: await openAdamW(runtime), state, step },
  };
}

async function readPlan(file: string): Promise<Plan> {
  const plan = await readDocument(file, planDocument);
  return { ...plan, hash: planHash(plan) };
}

function splitOf(loaded: Loaded): ShardReader {
  if (!loaded.shards) throw new MartletError('bug', 'no shards were loaded');
  return loaded.shards;
}

/** The window in use. */
function windowReader() {
  let current: { readonly folder: string; readonly reader: ShardReader } | undefined;
  const close = (): void => {
    current?.reader.close();
    current = undefined;
  };
  return {
    async open(folder: string): Promise<ShardReader> {
      if (current?.folder === folder) return current.reader;
      close();
      current = { folder, reader: await openShards(folder) };
      return current.reader;
    },
    close,
  };
}

async function step(loaded: Loaded, request: StepRequest, packs: readonly Pack[]): Promise<StepResult> {
  const { trainer, optimizer, plan } = loaded;
  if (!optimizer) throw new MartletError('bug', 'the engine was loaded for inference');
  const began = performance.now();
  const result = await trainStep({ trainer, optimizer, values: plan.values.train, packs, ...request });
  return {
    ...result,
    rows: new Set(packs.flatMap(({ documents }) => documents.map(({ row }) => row))).size,
    seconds: (performance.now() - began) / 1000,
    memoryBytes: process.memoryUsage.rss(),
    metrics: {},
  };
}

async function evaluate(loaded: Loaded, request: EvaluateRequest): Promise<EvaluateResult> {
  const began = performance.now();
  const shards = splitOf(loaded);
  const split: ShardSplit = request.split;
  const documents = new Float64Array(shards.manifest.splits[split].documents);
  let learnedTokens = 0;
  let weight = 0;
  for (let index = 0; index < (split === 'heldout' ? shards.stepCount(split) : 1); index++) {
    const packs = shards.packsOf(split, index);
    const scale = scaleOf(packs);
    for (const pack of packs) {
      const result = await loaded.trainer.measure({ documents: pack.documents, scale, base: request.base ?? false });
      pack.documents.forEach((document, place) => {
        documents[document.index] = result.documentLosses[place] ?? 0;
      });
      learnedTokens += result.learnedTokens;
    }
    weight += scale.stepWeight;
  }
  const total = documents.reduce((sum, loss) => sum + loss, 0);
  return { loss: total / weight, learnedTokens, documents, seconds: (performance.now() - began) / 1000 };
}

/** Sequences answered together; more gives little once the weights are read for each token anyway. */
const generateSlots = 16;

async function generate(loaded: Loaded, request: GenerateRequest): Promise<GenerateResult> {
  const began = performance.now();
  const { sampling, prompts } = request;
  const maxLength = Math.max(...prompts.map((prompt) => prompt.length)) + sampling.maxTokens + 1;
  const { runtime, model } = loaded;
  const adapter = request.base ? null : loaded.adapter;
  await using base = await openDecodeBase({ runtime, model, targets: adapter?.shape.targets ?? [] });
  const decoder = openDecoder({
    base,
    adapter,
    slots: Math.min(generateSlots, prompts.length),
    maxLength,
  });
  const completions = prompts.map(() => ({ ids: [] as number[], finishReason: 'length' as 'stop' | 'length' }));
  const randoms = prompts.map((_, index) => randomStream(streamKey(sampling.seed, index)));
  const stops = new Set(sampling.stopTokens);
  /** Which prompt each slot answers. */
  const slots: number[] = [];
  const pending: number[] = [];
  let next = 0;
  /** Takes a token for the sequence in a slot; false when the sequence is done. */
  const take = (slot: number, logits: Float32Array): boolean => {
    const prompt = slots[slot] ?? 0;
    const completion = completions[prompt];
    const random = randoms[prompt];
    if (!completion || !random) return false;
    const token = sampleToken(logits, sampling, random);
    if (stops.has(token)) {
      completion.finishReason = 'stop';
      return false;
    }
    completion.ids.push(token);
    pending[slot] = token;
    return completion.ids.length < sampling.maxTokens;
  };
  const finish = (slot: number): void => {
    decoder.release(slot);
    const last = slots.length - 1;
    slots[slot] = slots[last] ?? 0;
    pending[slot] = pending[last] ?? 0;
    slots.pop();
    pending.pop();
  };
  const vocabulary = loaded.model.config.vocab_size;
  while (next < prompts.length || slots.length > 0) {
    while (next < prompts.length && slots.length < decoder.slots) {
      const slot = slots.push(next) - 1;
      const logits = await decoder.admit(prompts[next++] ?? []);
      if (!take(slot, logits)) finish(slot);
    }
    if (slots.length === 0) continue;
    const logits = await decoder.step(pending);
    // From the last to the first: a slot that is freed is filled by one that was already served.
    for (let slot = slots.length - 1; slot >= 0; slot--)
      if (!take(slot, logits.subarray(slot * vocabulary, (slot + 1) * vocabulary))) finish(slot);
  }
  return { completions, seconds: (performance.now() - began) / 1000 };
}

async function score(loaded: Loaded, request: ScoreRequest): Promise<ScoreResult> {
  const vocabulary = loaded.model.config.vocab_size;
  const sequences: ScoreResult['sequences'][number][] = [];
  for (const ids of request.sequences) {
    const logits = await loaded.trainer.logits({ ids, base: request.base ?? false });
    const logProbabilities = new Float32Array(ids.length);
    for (let i = 1; i < ids.length; i++) {
      const row = logits.subarray((i - 1) * vocabulary, i * vocabulary);
      let highest = Number.NEGATIVE_INFINITY;
      for (const value of row) highest = Math.max(highest, value);
      let total = 0;
      for (const value of row) total += Math.exp(value - highest);
      logProbabilities[i] = (row[ids[i] ?? 0] ?? Number.NaN) - highest - Math.log(total);
    }
    sequences.push({ logProbabilities, logits: request.logits ? logits : null });
  }
  return { sequences };
}
