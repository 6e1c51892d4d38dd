import { MartletError } from '../core/error.ts';
import { fingerprint } from '../core/fingerprint.ts';
import { nearestName } from '../core/nearest.ts';
import type { Encoder } from '../models/encoder.ts';
import type { Json } from '../schema/common.ts';
import type { Capture, Deployment } from '../schema/deployment.ts';
import type { Engine } from '../spec/engine.ts';
import type { Sampling } from '../spec/train-engine.ts';
import { type AnswerMessage, type CallReader, callReader } from './call-reader.ts';
import type { ChatRequest } from './chat-request.ts';
import { type AnswerEnd, type AnswerPart, type AnswerProgress, streamAnswer } from './stream-answer.ts';

/** A model as it is served. */
export interface ServedModel {
  readonly entry: Deployment['models'][number];
  readonly encoder: Pick<Encoder, 'prompt' | 'stopTokens' | 'tokenizer' | 'toolCalls'>;
  /** Most tokens of prompt and answer. */
  readonly maxLength: number;
}

/** What answers, and what is needed to record it. */
export interface Backend {
  readonly engine: Engine;
  readonly deployment: { readonly address: string; readonly fingerprint: string; readonly createdAt: string };
  readonly models: readonly ServedModel[];
  /** When this resolves, the answer is on record. */
  readonly capture: (capture: Capture) => Promise<void>;
  readonly clock: () => Date;
  /** A new answer id. */
  readonly newId: () => string;
  /** The seed of a request that names none: a whole number in [0, 2^32). */
  readonly newSeed: () => number;
}

/** A request that was understood, encoded and found to fit. */
export interface Question {
  readonly id: string;
  readonly model: ServedModel;
  readonly prompt: readonly number[];
  readonly sampling: Sampling;
  readonly stop: readonly string[];
  readonly topLogProbabilities: number | null;
  readonly at: Date;
  /** Where tools are on offer: how calls are read out of the answer. */
  readonly calls: CallReader | null;
  /** What goes on record: enough to ask the same again. */
  readonly request: { readonly [key: string]: Json };
  /** The row of a batch that it was made of. */
  readonly row?: Capture['row'];
}

/** A model answers to its name, and to the address it was exported under. */
export function findModel({ models }: Pick<Backend, 'models'>, name: string): ServedModel | undefined {
  return models.find(({ entry }) => entry.name === name) ?? models.find(({ entry }) => entry.model === name);
}

export function unknownModelError({ models }: Pick<Backend, 'models'>, name: string): MartletError {
  const names = models.map(({ entry }) => entry.name);
  const near = nearestName(name, names);
  const instead = near === undefined ? `there is ${names.join(', ')}` : `did you mean "${near}"?`;
  return new MartletError('model_not_found', `no model is served as "${name}"; ${instead}`);
}

/**
 * @throws MartletError `context_length_exceeded` when the prompt leaves no room for an answer; `max_tokens_too_large` when it
 * leaves less than was asked for; `invalid-input` when the chat template refuses the conversation
 */
export function prepareQuestion(backend: Backend, model: ServedModel, chat: Omit<ChatRequest, 'model'>): Question {
  const { tools, variables } = chat;
  if (tools && !model.encoder.toolCalls().offers)
    throw new MartletError('tools_unsupported', `the chat template of ${model.entry.name} has no place for tools`, {
      hint: 'Leave them out, or serve a model that was trained with an agent format (render.agent).',
    });
  const prompt = promptOf(model.encoder, chat);
  const room = model.maxLength - prompt.length;
  if (room < 1)
    throw new MartletError(
      'context_length_exceeded',
      `the prompt has ${prompt.length} tokens; prompt and answer together may have ${model.maxLength}`,
      { hint: 'Shorten the messages, or serve with a greater --max-length.' },
    );
  // As OpenAI and vLLM refuse it: an answer cut short in silence would look like the model's doing.
  if (chat.maxTokens !== null && chat.maxTokens > room)
    throw new MartletError(
      'max_tokens_too_large',
      `${chat.maxTokens} tokens are asked for (max_tokens) behind a prompt of ${prompt.length}; prompt and answer together may have ${model.maxLength} tokens, which leaves ${room}`,
      { hint: `Ask for at most ${room}, or leave max_tokens out for what fits; or serve with a greater --max-length.` },
    );
  const { temperature, topP, topK, stop, topLogProbabilities } = chat;
  const seed = chat.seed ?? backend.newSeed();
  const maxTokens = chat.maxTokens ?? room;
  return {
    id: backend.newId(),
    at: backend.clock(),
    model,
    prompt,
    sampling: { temperature, topP, topK, seed, maxTokens, stopTokens: model.encoder.stopTokens },
    stop,
    topLogProbabilities,
    calls: tools ? callReader(model.encoder, tools) : null,
    request: {
      model: model.entry.name,
      messages: chat.sentMessages,
      ...(tools && { tools }),
      ...(variables && { chat_template_kwargs: variables }),
      temperature,
      top_p: topP,
      top_k: topK,
      seed,
      max_tokens: maxTokens,
      ...(stop.length > 0 && { stop: [...stop] }),
    },
  };
}

/** The ids a request is answered behind. */
export function promptOf(
  encoder: Pick<Encoder, 'prompt'>,
  { messages, tools, variables }: Pick<ChatRequest, 'messages' | 'tools' | 'variables'>,
): readonly number[] {
  return encoder.prompt({ messages: [...messages], ...(tools && { tools }), ...(variables && { variables }) });
}

export interface Outcome extends Readonly<AnswerProgress> {
  readonly finishReason: AnswerEnd | 'tool_calls';
  /** The answer without its calls, and the calls. */
  readonly message: AnswerMessage;
}

/**
 * Answers, and puts the answer on record before it says that it is over. An answer that was broken off (the consumer
 * left, the signal was aborted, the engine failed) is recorded as far as it was generated: `aborted` or `failed`. One
 * that had not begun leaves no record.
 * @throws MartletError of the engine, and `aborted`
 */
export async function* ask(
  backend: Backend,
  question: Question,
  signal: AbortSignal,
): AsyncGenerator<AnswerPart, Outcome> {
  const { engine, deployment, clock } = backend;
  const { model, request } = question;
  const { prompt, sampling, stop, topLogProbabilities } = question;
  const name = model.entry.name;
  const progress: AnswerProgress = { text: '', completionTokens: 0 };
  const { tokenizer } = model.encoder;
  let finishReason: Outcome['finishReason'] | 'aborted' | 'failed' = 'aborted';
  let message: AnswerMessage | undefined;
  const parts = streamAnswer({
    engine,
    decode: question.calls?.decode ?? ((ids) => tokenizer.decode(ids, { skipSpecial: true })),
    model: name,
    prompt,
    sampling,
    stop,
    topLogProbabilities,
    signal,
    progress,
  });
  try {
    for (;;) {
      const next = await parts.next();
      if (next.done) {
        message = question.calls?.read(progress.text, question.id) ?? { content: progress.text, toolCalls: [] };
        const ended = next.value === 'stop' && message.toolCalls.length > 0 ? 'tool_calls' : next.value;
        finishReason = ended;
        return { ...progress, finishReason: ended, message };
      }
      yield next.value;
    }
  } catch (error) {
    finishReason = signal.aborted ? 'aborted' : 'failed';
    throw error;
  } finally {
    // Frees the slot when the answer is left early.
    await parts.return('stop');
    const { text, completionTokens } = progress;
    if (message !== undefined || completionTokens > 0)
      await backend.capture({
        schema: 'capture/1',
        id: question.id,
        at: question.at.toISOString(),
        deployment: deployment.address,
        deploymentFingerprint: deployment.fingerprint,
        model: name,
        modelFingerprint: model.entry.modelFingerprint,
        planHash: model.entry.planHash,
        requestDigest: fingerprint(request),
        request,
        ...(question.row && { row: question.row }),
        promptTokens: prompt.length,
        completionTokens,
        answer: text,
        ...(message && message.toolCalls.length > 0 && { message }),
        finishReason,
        seconds: Math.max(0, clock().getTime() - question.at.getTime()) / 1000,
      });
  }
}
