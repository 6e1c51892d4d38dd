import type { Tensor } from 'onnxruntime-common';
import { MartletError } from '../core/error.ts';
import { streamKey } from '../core/random.ts';
import { evaluateLoss } from '../methods/evaluate.ts';
import type { Expression } from '../methods/expression.ts';
import { inputName, savedName } from './activations.ts';
import { type BufferPool, bufferPool } from './buffer-pool.ts';
import { fillDropout } from './dropout.ts';
import { headGraphs } from './head.ts';
import { layoutFeeds, packLayout } from './layout.ts';
import { headChunks, type Learned, learnedPositions, type TrainDocument } from './learned-positions.ts';
import { type AdapterShape, adapterParameters, blockGraphs, linearNames, linearSize } from './llama.ts';
import { blockName, embeddingName, headName, type Model, normName, rotaryTables } from './model.ts';
import type { Program, Runtime } from './runtime.ts';
import type { Trained } from './trained.ts';

export interface TrainerOptions {
  readonly runtime: Runtime;
  readonly model: Model;
  /** Null: every weight is trained. */
  readonly adapter: { readonly shape: AdapterShape; readonly trained: Trained } | null;
  readonly loss: Expression;
  readonly seed: number;
  /** Most tokens of a pack; sizes the buffers. */
  readonly maxTokens: number;
  /** Save activations for the backward pass (faster) or compute them again (about 20 KB a token a layer less). */
  readonly saveActivations: boolean;
  /** Where activations are kept between the passes; a pool of its own when absent. */
  readonly buffers?: BufferPool;
}

/** Sums over the whole step, which every pack of it is normalised by. */
export interface StepScale {
  readonly stepWeight: number;
  readonly stepSequences: number;
}

export interface PackResult {
  /** This pack's part of the step's loss. */
  readonly loss: number;
  /** Sum of weight * -log p over each document. */
  readonly documentLosses: Float64Array;
  readonly learnedTokens: number;
  readonly tokens: number;
}

export interface Trainer {
  readonly trained: Trained;
  readonly gradients: Float32Array;
  /** Adds a pack's gradient to `gradients`. `place` tells dropout masks apart: (step, pack). */
  accumulate(request: {
    readonly documents: readonly TrainDocument[];
    readonly scale: StepScale;
    readonly place: readonly [number, number];
  }): Promise<PackResult>;
  /** The loss alone. `base`: without the adapter. */
  measure(request: {
    readonly documents: readonly TrainDocument[];
    readonly scale: StepScale;
    readonly base?: boolean;
  }): Promise<PackResult>;
  /** Logits of every position of one sequence, [length, vocabulary] row by row. */
  logits(request: { readonly ids: ArrayLike<number>; readonly base?: boolean }): Promise<Float32Array>;
}

/**
 * Runs a model layer by layer: one forward and one backward graph serve all layers, weights are fed, activations live in
 * buffers of our own. Gradients of all parameters lie in one flat array and packs add to them in place.
 */
export async function openTrainer(options: TrainerOptions): Promise<Trainer> {
  const { runtime, model, adapter, maxTokens, buffers = bufferPool() } = options;
  const { config } = model;
  const { hidden_size: hidden, vocab_size: vocabulary, num_hidden_layers: layers } = config;
  const full = adapter === null;
  const trained: Trained = adapter?.trained ?? { parameters: model.parameters, values: model.values };
  const gradients = new Float32Array(trained.parameters.size);
  const adapterShape = adapter?.shape ?? null;
  const blockTrained = Object.keys(adapterShape ? adapterParameters(config, adapterShape) : {});
  const trainedInBlock = full ? blockParameterNames(model) : blockTrained;

  const graphs = blockGraphs({
    config,
    adapter: adapterShape,
    trained: trainedInBlock,
    saveActivations: options.saveActivations,
  });
  const plain = adapterShape ? blockGraphs({ config, adapter: null, trained: [], saveActivations: false }) : graphs;
  const head = headGraphs({ hidden, vocabulary, epsilon: config.rms_norm_eps });
  const compiled = new Map<string, Promise<Program>>();
  const program = (name: string, emitted: Parameters<Runtime['compile']>[0]): Promise<Program> => {
    const known = compiled.get(name) ?? runtime.compile(emitted);
    compiled.set(name, known);
    return known;
  };

  const tables = rotaryTables(config, maxTokens);
  const half = config.head_dim / 2;
  const rotation = {
    cos: runtime.float(tables.cos, [tables.positions, half]),
    sin: runtime.float(tables.sin, [tables.positions, half]),
    negativeSin: runtime.float(tables.negativeSin, [tables.positions, half]),
  };

  /** Weights of a layer under their names in the block. */
  const layerFeeds = Array.from({ length: layers }, (_, layer) => {
    const feeds: Record<string, Tensor> = {};
    for (const name of blockParameterNames(model)) feeds[name] = model.tensor(blockName(layer, name));
    return feeds;
  });
  const trainedTensor = (array: Float32Array, layer: number, name: string): Tensor =>
    runtime.float(
      trained.parameters.view(array, blockName(layer, name)),
      trained.parameters.entry(blockName(layer, name)).shape,
    );
  const adapterFeeds = layerFeeds.map((_, layer) =>
    Object.fromEntries(blockTrained.map((name) => [name, trainedTensor(trained.values, layer, name)])),
  );
  const gradientFeeds = layerFeeds.map((_, layer) => {
    const tensors = trainedInBlock.map((name) => [name, trainedTensor(gradients, layer, name)] as const);
    return {
      sums: Object.fromEntries(tensors.map(([name, tensor]) => [`${name}.sum`, tensor])),
      results: Object.fromEntries(tensors.map(([name, tensor]) => [`${name}.gradient`, tensor])),
    };
  });

  const embedding = model.parameters.view(model.values, embeddingName);
  const headTensor = model.tensor(headName(config));
  const normTensor = model.tensor(normName);
  const matrix = (name: string, rows: number, width: number): Tensor =>
    runtime.float(buffers(name, rows * width), [rows, width]);

  interface Run {
    readonly tokens: number;
    readonly base: boolean;
    readonly training: boolean;
    readonly place: readonly [number, number];
    readonly feeds: Record<string, Tensor>;
  }

  const start = (
    documents: readonly TrainDocument[],
    how: { readonly base: boolean; readonly training: boolean; readonly place: readonly [number, number] },
  ): Run => {
    const lengths = documents.map((document) => document.ids.length);
    const layout = packLayout(lengths, {
      group: config.num_attention_heads / config.num_key_value_heads,
      window: config.sliding_window,
    });
    if (layout.tokens > maxTokens)
      throw new MartletError('bug', `a pack of ${layout.tokens} tokens is longer than ${maxTokens}`);
    const described = layoutFeeds(layout);
    const feeds = Object.fromEntries(Object.entries(described).map(([name, feed]) => [name, runtime.tensor(feed)]));
    const x = buffers(inputName(0), layout.tokens * hidden);
    let row = 0;
    for (const { ids } of documents)
      for (let i = 0; i < ids.length; i++) {
        const id = ids[i] ?? 0;
        x.set(embedding.subarray(id * hidden, (id + 1) * hidden), row++ * hidden);
      }
    return { tokens: layout.tokens, feeds: { ...feeds, ...rotation }, ...how };
  };

  /** Masks of one layer, made again for backward from the same place. */
  const dropout = (run: Run, layer: number): Record<string, Tensor> => {
    if (!adapterShape || adapterShape.dropout === 0 || run.base) return {};
    const feeds: Record<string, Tensor> = {};
    adapterShape.targets.forEach((target, index) => {
      const { input } = linearSize(config, target);
      const mask = buffers(`dropout ${target}`, run.tokens * input);
      if (run.training) fillDropout(mask, adapterShape.dropout, streamKey(options.seed, 3, ...run.place, layer, index));
      else mask.fill(1);
      feeds[`${linearNames[target]}.dropout`] = runtime.float(mask, [run.tokens, input]);
    });
    return feeds;
  };

  const savedTensors = (run: Run, layer: number): Record<string, Tensor> =>
    Object.fromEntries(
      graphs.saved.map(({ name, width }) => [name, matrix(savedName(name, layer), run.tokens, width)]),
    );

  /** @returns the output of the last block, [T, hidden]. */
  const forward = async (run: Run): Promise<Float32Array> => {
    const used = run.base ? plain : graphs;
    const block = await program(run.base ? 'plain' : 'forward', used.forward);
    for (let layer = 0; layer < layers; layer++) {
      // Without a backward pass two buffers are enough.
      const slot = (index: number): string =>
        run.training ? inputName(index) : index === 0 ? inputName(0) : `x alternating ${index % 2}`;
      const saved = run.training ? savedTensors(run, layer) : {};
      await block.run(
        {
          ...run.feeds,
          ...layerFeeds[layer],
          ...(run.base ? {} : adapterFeeds[layer]),
          ...dropout(run, layer),
          x: matrix(slot(layer), run.tokens, hidden),
        },
        { y: matrix(slot(layer + 1), run.tokens, hidden), ...saved },
      );
    }
    return buffers(run.training ? inputName(layers) : `x alternating ${layers % 2}`, run.tokens * hidden);
  };

  /** Log-probabilities of the learned tokens, and their slopes against the last norm's output, chunk by chunk. */
  const score = async (
    last: Float32Array,
    learned: Learned,
  ): Promise<{
    readonly logProbabilities: Float32Array;
    readonly slopes: Float32Array;
    readonly inputs: Float32Array;
  }> => {
    const count = learned.positions.length;
    const inputs = buffers('head inputs', count * hidden);
    learned.positions.forEach((position, index) => {
      inputs.set(last.subarray(position * hidden, (position + 1) * hidden), index * hidden);
    });
    const logProbabilities = buffers('log probabilities', count);
    const slopes = buffers('slopes', count * hidden);
    const forwardHead = await program('head', head.forward);
    for (const [from, to] of headChunks(count, vocabulary)) {
      const rows = to - from;
      await forwardHead.run(
        {
          h: runtime.float(inputs.subarray(from * hidden, to * hidden), [rows, hidden]),
          norm: normTensor,
          head: headTensor,
          labels: runtime.tensor({ dtype: 'int64', data: learned.labels.subarray(from, to), shape: [rows] }),
        },
        {
          logProbability: runtime.float(logProbabilities.subarray(from, to), [rows, 1]),
          slope: runtime.float(slopes.subarray(from * hidden, to * hidden), [rows, hidden]),
        },
      );
    }
    return { logProbabilities, slopes, inputs };
  };

  const lossOf = (
    learned: Learned,
    logProbabilities: Float32Array,
    scale: StepScale,
  ): ReturnType<typeof evaluateLoss> =>
    evaluateLoss(options.loss, {
      sequenceOf: learned.documents,
      sequences: learned.documentCount,
      quantities: {
        logProbability: logProbabilities,
        weight: learned.weights,
        stepWeight: [scale.stepWeight],
        stepSequences: [scale.stepSequences],
      },
    });

  const result = (learned: Learned, logProbabilities: Float32Array, loss: number, tokens: number): PackResult => {
    const documentLosses = new Float64Array(learned.documentCount);
    learned.documents.forEach((document, index) => {
      documentLosses[document] =
        (documentLosses[document] ?? 0) - (learned.weights[index] ?? 0) * (logProbabilities[index] ?? 0);
    });
    return { loss, documentLosses, learnedTokens: learned.positions.length, tokens };
  };

  /** The head's own gradients, for full fine-tuning. */
  const trainHead = async (learned: Learned, inputs: Float32Array, coefficients: Float32Array): Promise<void> => {
    const weights = await program('head weights', head.weightBackward);
    const sum = trained.parameters.view(gradients, headName(config));
    const sumTensor = runtime.float(sum, [vocabulary, hidden]);
    for (const [from, to] of headChunks(learned.positions.length, vocabulary)) {
      const rows = to - from;
      const normed = buffers('normed', rows * hidden);
      await weights.run(
        {
          h: runtime.float(inputs.subarray(from * hidden, to * hidden), [rows, hidden]),
          norm: normTensor,
          head: headTensor,
          coefficient: runtime.float(coefficients.subarray(from, to), [rows, 1]),
          'head.sum': sumTensor,
        },
        { 'head.gradient': sumTensor, normed: runtime.float(normed, [rows, hidden]) },
      );
      for (let row = 0; row < rows; row++) {
        const at = Number(learned.labels[from + row] ?? 0n) * hidden;
        const coefficient = coefficients[from + row] ?? 0;
        for (let i = 0; i < hidden; i++)
          sum[at + i] = (sum[at + i] as number) + coefficient * (normed[row * hidden + i] as number);
      }
    }
  };

  return {
    trained,
    gradients,
    async measure({ documents, scale, base = false }) {
      const run = start(documents, { base: base && !full, training: false, place: [0, 0] });
      const learned = learnedPositions(documents);
      const { logProbabilities } = await score(await forward(run), learned);
      return result(learned, logProbabilities, lossOf(learned, logProbabilities, scale).loss, run.tokens);
    },
    async accumulate({ documents, scale, place }) {
      const run = start(documents, { base: false, training: true, place });
      const learned = learnedPositions(documents);
      const { logProbabilities, slopes, inputs } = await score(await forward(run), learned);
      const { loss, slope } = lossOf(learned, logProbabilities, scale);
      const count = learned.positions.length;
      const packed = result(learned, logProbabilities, loss, run.tokens);
      if (!Number.isFinite(loss)) return packed;

      // Through the last norm, on learned positions; elsewhere nothing flows back.
      const coefficients = Float32Array.from(slope);
      if (full) await trainHead(learned, inputs, coefficients);
      for (let row = 0; row < count; row++) {
        const coefficient = coefficients[row] as number;
        for (let i = row * hidden; i < (row + 1) * hidden; i++) slopes[i] = (slopes[i] as number) * coefficient;
      }
      const dh = buffers('dh', count * hidden);
      const normSum = full ? trained.parameters.view(gradients, normName) : buffers('norm gradient', hidden);
      const norm = runtime.float(normSum, [hidden]);
      await (await program('head backward', head.backward)).run(
        {
          h: runtime.float(inputs, [count, hidden]),
          norm: normTensor,
          dNormed: runtime.float(slopes, [count, hidden]),
          'norm.sum': norm,
        },
        { dh: runtime.float(dh, [count, hidden]), 'norm.gradient': norm },
      );
      let dy = buffers('dy', run.tokens * hidden).fill(0);
      learned.positions.forEach((position, index) => {
        dy.set(dh.subarray(index * hidden, (index + 1) * hidden), position * hidden);
      });

      let dx = buffers('dx', run.tokens * hidden);
      const block = await program('backward', graphs.backward);
      for (let layer = layers - 1; layer >= 0; layer--) {
        const grads = gradientFeeds[layer];
        if (!grads) continue;
        const first = layer === 0 && !full && graphs.backwardFirst;
        const used = first ? await program('backward first', first) : block;
        await used.run(
          {
            ...run.feeds,
            ...layerFeeds[layer],
            ...adapterFeeds[layer],
            ...dropout(run, layer),
            ...savedTensors(run, layer),
            ...grads.sums,
            x: matrix(inputName(layer), run.tokens, hidden),
            dy: runtime.float(dy, [run.tokens, hidden]),
          },
          first ? grads.results : { ...grads.results, dx: runtime.float(dx, [run.tokens, hidden]) },
        );
        [dy, dx] = [dx, dy];
      }
      if (full) {
        const sum = trained.parameters.view(gradients, embeddingName);
        let row = 0;
        for (const { ids } of documents)
          for (let i = 0; i < ids.length; i++, row++) {
            const at = (ids[i] ?? 0) * hidden;
            for (let j = 0; j < hidden; j++) sum[at + j] = (sum[at + j] as number) + (dy[row * hidden + j] as number);
          }
      }
      return packed;
    },
    async logits({ ids, base = false }) {
      const run = start([{ ids, weights: [] }], { base: base && !full, training: false, place: [0, 0] });
      const last = await forward(run);
      const all = new Float32Array(run.tokens * vocabulary);
      const headLogits = await program('logits', head.logits);
      for (const [from, to] of headChunks(run.tokens, vocabulary))
        await headLogits.run(
          {
            h: runtime.float(last.subarray(from * hidden, to * hidden), [to - from, hidden]),
            norm: normTensor,
            head: headTensor,
          },
          { logits: runtime.float(all.subarray(from * vocabulary, to * vocabulary), [to - from, vocabulary]) },
        );
      return all;
    },
  };
}

function blockParameterNames(model: Model): string[] {
  const prefix = blockName(0, '');
  return model.parameters.entries
    .filter(({ name }) => name.startsWith(prefix))
    .map(({ name }) => name.slice(prefix.length));
}
