import { invariant, MartletError } from '../core/error.ts';
import { exactMatchScorer, groundingScorer, referenceAnswer } from '../grounding/index.ts';
import type { PlanValues } from '../schema/plan.ts';
import type { EvalSample, Metric, Report } from '../schema/report.ts';
import type { Message, Sample } from '../schema/sample.ts';
import type { Scorer } from '../spec/scorer.ts';
import type { TrainSession } from '../spec/train-engine.ts';
import type { KeptAnswers, KeptBatch } from './kept-answers.ts';
import { knownUnit } from './metric-names.ts';
import { bootstrapMean, bootstrapRatio, perplexity, wilsonShare } from './metrics.ts';

export const modelNames = ['base', 'tuned'] as const;
export type ModelName = (typeof modelNames)[number];

export interface EvaluateRunRequest {
  /** Loaded with the checkpoint's adapter, and with shards when the held-out loss is asked for. */
  readonly session: TrainSession;
  readonly run: string;
  readonly checkpoint: string;
  /** Held-out samples, in dataset order. */
  readonly samples: readonly Sample[];
  /** The tokens the model is asked with: everything before the last answer, and the opening of an answer. */
  readonly encodePrompt: (sample: Sample) => readonly number[] | Promise<readonly number[]>;
  /** Text of an answer, special tokens left out. */
  readonly decode: (ids: readonly number[]) => string;
  readonly values: PlanValues['eval'];
  readonly stopTokens: readonly number[];
  /** Those of the tasks when absent. */
  readonly scorers?: readonly Scorer[];
  readonly lossCurve: Report['lossCurve'];
  /** Learned tokens of each held-out document, in split order; with them the loss gets an interval. */
  readonly heldOutTokens?: ArrayLike<number>;
  readonly seed: number;
  /** Prompts answered at once. */
  readonly batchRows?: number;
  /** Milliseconds. */
  readonly clock?: () => number;
  /** Where answers are kept as they are given, and may be known from. */
  readonly kept?: KeptAnswers;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly model: ModelName; readonly done: number; readonly rows: number }) => void;
}

/**
 * Answers the same held-out rows with and without what was learned, greedily, and scores both alike.
 * @throws MartletError `nothing-held-out` when there is a task and no row is held out; the reason of `signal` once it is aborted.
 */
export async function evaluateRun(
  request: EvaluateRunRequest,
): Promise<{ readonly report: Report; readonly samples: readonly EvalSample[] }> {
  const { session, values, seed, clock = () => performance.now() } = request;
  const began = clock();
  const scorers = request.scorers ?? scorersFor(values.tasks);
  if (values.tasks.length > 0 && request.samples.length === 0)
    throw new MartletError('nothing-held-out', 'there are no held-out rows to measure on', {
      hint: 'Hold rows out with data.split, or ask for no task in eval.tasks.',
    });
  const models: Record<string, Record<string, Metric>> = {};
  const answered: EvalSample[] = [];
  let secondsBefore = 0;
  const rows = scorers.length > 0 ? spreadEvenly(request.samples, values.rows) : [];
  for (const model of modelNames) {
    const base = model === 'base';
    const metrics: Record<string, Metric> = {};
    if (values.tasks.includes('heldout-loss')) {
      request.signal?.throwIfAborted();
      const result = await session.evaluate({ split: 'heldout', base });
      const loss = heldOutLoss(result, request);
      metrics.heldoutLoss = loss;
      metrics.perplexity = perplexity(loss);
    }
    const { answers, keptSeconds } = await answerRows({ ...request, model, rows, scorers, clock });
    answered.push(...answers);
    secondsBefore += keptSeconds;
    models[model] = metrics;
  }
  for (const model of modelNames) Object.assign(models[model] ?? {}, scoreMetrics(answered, model, seed));
  const report: Report = {
    schema: 'report/1',
    run: request.run,
    checkpoint: request.checkpoint,
    tasks: [...values.tasks],
    models,
    lossCurve: [...request.lossCurve],
    seconds: secondsBefore + (clock() - began) / 1000,
  };
  return { report, samples: answered };
}

export function scorersFor(tasks: PlanValues['eval']['tasks']): Scorer[] {
  return [exactMatchScorer, groundingScorer].filter((scorer) => tasks.some((task) => task === scorer.name));
}

/** `count` items at even distances, the first included; all of them when there are no more. */
export function spreadEvenly<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return items.slice();
  return Array.from({ length: count }, (_, index) => items[Math.floor((index * items.length) / count)] as T);
}

/** What a model is asked: everything before the last answer. */
export function promptMessages(sample: Pick<Sample, 'messages'>): Message[] {
  const last = sample.messages.findLastIndex((message) => message.role === 'assistant');
  return last < 0 ? sample.messages.slice() : sample.messages.slice(0, last);
}

async function answerRows(
  request: EvaluateRunRequest & {
    readonly model: ModelName;
    readonly rows: readonly Sample[];
    readonly scorers: readonly Scorer[];
    readonly clock: () => number;
  },
): Promise<{ readonly answers: readonly EvalSample[]; readonly keptSeconds: number }> {
  const { model, rows, session, values, kept, clock, batchRows = 16 } = request;
  const prompts = await Promise.all(rows.map((sample) => request.encodePrompt(sample)));
  // Prompts of like length share a batch, so that little of it is padding; answers come back in row order.
  const order = rows.map((_, index) => index);
  order.sort((a, b) => (prompts[a]?.length ?? 0) - (prompts[b]?.length ?? 0) || a - b);
  const answers = new Array<EvalSample | undefined>(rows.length);
  let keptSeconds = 0;
  for (let from = 0; from < order.length; from += batchRows) {
    request.signal?.throwIfAborted();
    const batch = order.slice(from, from + batchRows);
    const name = `${model} ${from}`;
    const known = kept?.take(name);
    const given = known ?? (await answerBatch(batch));
    if (known) keptSeconds += known.seconds;
    else await kept?.add(name, given);
    for (const [position, index] of batch.entries()) answers[index] = given.answers[position];
    request.onProgress?.({ model, done: from + batch.length, rows: rows.length });
  }
  return { answers: answers.filter((answer) => answer !== undefined), keptSeconds };

  /** A batch is asked whole or not at all: what shares one must not hang on where it was stopped. */
  async function answerBatch(batch: readonly number[]): Promise<KeptBatch> {
    const began = clock();
    const { completions } = await session.generate({
      prompts: batch.map((index) => prompts[index] ?? []),
      base: model === 'base',
      sampling: {
        temperature: 0,
        topP: 1,
        topK: 0,
        seed: request.seed,
        maxTokens: values.maxTokens,
        stopTokens: request.stopTokens,
      },
    });
    const scored: EvalSample[] = [];
    for (const [position, index] of batch.entries()) {
      const sample = rows[index];
      const completion = completions[position];
      invariant(sample && completion, 'an engine answers every prompt');
      scored.push(await scoreAnswer({ sample, completion, ...request }));
    }
    return { answers: scored, seconds: (clock() - began) / 1000 };
  }
}

async function scoreAnswer(request: {
  readonly model: ModelName;
  readonly sample: Sample;
  readonly completion: { readonly ids: readonly number[]; readonly finishReason: 'stop' | 'length' };
  readonly decode: (ids: readonly number[]) => string;
  readonly scorers: readonly Scorer[];
}): Promise<EvalSample> {
  const { sample, completion } = request;
  const answer = request.decode(completion.ids);
  const scored: EvalSample = {
    model: request.model,
    id: sample.id,
    prompt: promptMessages(sample) as EvalSample['prompt'],
    reference: referenceAnswer(sample),
    answer,
    finishReason: completion.finishReason,
    scores: { answerTokens: completion.ids.length },
    claims: [],
  };
  for (const scorer of request.scorers) {
    const score = await scorer.score({ sample, answer });
    Object.assign(scored.scores, score.values);
    if (score.claims) scored.claims.push(...score.claims);
  }
  return scored;
}

/** Yes-or-no scores become shares, all others means; over both models alike, so that the two can be compared. */
function scoreMetrics(answered: readonly EvalSample[], model: ModelName, seed: number): Record<string, Metric> {
  const names = [...new Set(answered.flatMap((sample) => Object.keys(sample.scores)))];
  const valuesOf = (name: string, of?: ModelName): number[] =>
    answered
      .filter((sample) => of === undefined || sample.model === of)
      .map((sample) => sample.scores[name])
      .filter((value) => value !== undefined);
  const metrics = names.map((name): [string, Metric] => {
    const values = valuesOf(name, model);
    const unit = knownUnit(name) ?? (valuesOf(name).every((value) => value === 0 || value === 1) ? 'share' : 'number');
    const sum = values.reduce((total, value) => total + value, 0);
    return [name, unit === 'share' ? wilsonShare(sum, values.length) : bootstrapMean(values, seed)];
  });
  return Object.fromEntries(metrics);
}

function heldOutLoss(
  result: { readonly loss: number; readonly learnedTokens: number; readonly documents: Float64Array },
  { heldOutTokens, seed }: EvaluateRunRequest,
): Metric {
  const plain: Metric = {
    value: result.loss,
    low: result.loss,
    high: result.loss,
    count: result.learnedTokens,
    interval: 'none',
  };
  if (heldOutTokens?.length !== result.documents.length) return plain;
  const interval = bootstrapRatio({ numerators: result.documents, denominators: heldOutTokens, seed });
  return { ...interval, value: result.loss, count: result.learnedTokens };
}
