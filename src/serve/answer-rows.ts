import { MartletError } from '../core/error.ts';
import { fingerprint } from '../core/fingerprint.ts';
import { ask, type Backend, findModel, prepareQuestion, type ServedModel, unknownModelError } from './ask.ts';
import type { BatchRow } from './batch-rows.ts';
import type { AnswerMessage } from './call-reader.ts';

/** One line of a batch's output. */
export interface RowAnswer {
  /** Where the row stands; lines count from 1. */
  readonly file: string;
  readonly line: number;
  /** Fingerprint of what was asked of what: see `answerDigest`. */
  readonly digest: string;
  /** The answer id, to trace or review it by; null when there is no answer. */
  readonly id: string | null;
  readonly model: string;
  readonly answer: string | null;
  /** The tools it calls, as OpenAI writes them; the answer is then what it says beside. Absent where it calls none. */
  readonly toolCalls?: AnswerMessage['toolCalls'];
  readonly finishReason: string;
  readonly usage: { readonly promptTokens: number; readonly completionTokens: number } | null;
  /** Why there is no answer: the row does not fit the model. */
  readonly error?: { readonly code: string; readonly message: string };
}

/**
 * Answers rows, several at a time, and gives them in their order. Each answer is on record before it is given; leaving
 * early breaks off those that run.
 */
export async function* answerRows(request: {
  readonly backend: Backend;
  /** Name or address of the one that answers. */
  readonly model: string;
  readonly rows: readonly BatchRow[];
  /** Rows under way at a time. */
  readonly atOnce: number;
  readonly signal: AbortSignal;
}): AsyncGenerator<RowAnswer> {
  const { backend, rows, atOnce } = request;
  const model = modelOf(backend, request.model);
  const left = new AbortController();
  const signal = AbortSignal.any([request.signal, left.signal]);
  const running: Promise<RowAnswer>[] = [];
  try {
    for (const row of rows) {
      request.signal.throwIfAborted();
      const answer = answerRow({ backend, model, row, signal });
      // Whoever awaits it hears of the failure; until then it must not end the process.
      answer.catch(() => {});
      running.push(answer);
      if (running.length >= atOnce) yield await (running.shift() as Promise<RowAnswer>);
    }
    for (let next = running.shift(); next; next = running.shift()) yield await next;
  } finally {
    left.abort();
    await Promise.allSettled(running);
  }
}

/** An answer with another digest answers another row, or the same row asked otherwise, or of another model. */
export function answerDigest(
  { digest }: BatchRow,
  { backend, model }: { readonly backend: Pick<Backend, 'models'>; readonly model: string },
): string {
  return rowDigest(digest, modelOf(backend, model));
}

const rowDigest = (row: string, { entry }: ServedModel): string => fingerprint({ row, model: entry.modelFingerprint });

function modelOf(backend: Pick<Backend, 'models'>, name: string): ServedModel {
  const model = findModel(backend, name);
  if (!model) throw unknownModelError(backend, name);
  return model;
}

/** What is wrong with a row, and with no other. */
const rowCodes: readonly string[] = [
  'context_length_exceeded',
  'max_tokens_too_large',
  'invalid-input',
  'tools_unsupported',
];

interface AnswerRequest {
  readonly backend: Backend;
  readonly model: ServedModel;
  readonly row: BatchRow;
  readonly signal: AbortSignal;
}

async function answerRow({ backend, model, row, signal }: AnswerRequest): Promise<RowAnswer> {
  const { file, line, chat } = row;
  const { name } = model.entry;
  const digest = rowDigest(row.digest, model);
  try {
    const question = prepareQuestion(backend, model, chat);
    const answer = ask(backend, { ...question, row: { file, line } }, signal);
    let next = await answer.next();
    while (!next.done) next = await answer.next();
    const { message, completionTokens, finishReason } = next.value;
    const { content, toolCalls } = message;
    const usage = { promptTokens: question.prompt.length, completionTokens };
    const calls = toolCalls.length > 0 ? { toolCalls } : {};
    return { file, line, digest, id: question.id, model: name, answer: content, ...calls, finishReason, usage };
  } catch (error) {
    // This row cannot be answered; the others can.
    if (!MartletError.is(error) || !rowCodes.includes(error.code)) throw error;
    const { code, message } = error;
    return {
      file,
      line,
      digest,
      id: null,
      model: name,
      answer: null,
      finishReason: 'error',
      usage: null,
      error: { code, message },
    };
  }
}
