import type { EngineToken } from '../spec/engine.ts';
import type { AnswerMessage } from './call-reader.ts';
import type { AnswerPart, AnswerProgress } from './stream-answer.ts';
import type { TokenPiece } from './token-pieces.ts';

/** What every object of one answer carries. */
export interface AnswerHead {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
  readonly system_fingerprint: string;
}

/** OpenAI's `chat.completion`. */
export function completion(
  head: AnswerHead,
  answer: {
    readonly message: AnswerMessage;
    readonly finishReason: string;
    readonly logprobs: object | null;
    readonly usage: object;
  },
): object {
  const { content, toolCalls } = answer.message;
  // As at OpenAI, an answer that only calls has no content.
  const said = content === '' && toolCalls.length > 0 ? null : content;
  const calls = toolCalls.length > 0 ? { tool_calls: toolCalls } : {};
  const message = { role: 'assistant', content: said, refusal: null, ...calls };
  const choice = { index: 0, message, logprobs: answer.logprobs, finish_reason: answer.finishReason };
  return { ...head, object: 'chat.completion', choices: [choice], usage: answer.usage };
}

/** OpenAI's `chat.completion.chunk`; `usage` is null in all but the last where it was asked for. */
export function chunk(
  head: AnswerHead,
  choice: { readonly delta: object; readonly logprobs?: object | null; readonly finishReason?: string } | null,
  usage?: object | null,
): object {
  const choices = choice
    ? [
        {
          index: 0,
          delta: choice.delta,
          logprobs: choice.logprobs ?? null,
          finish_reason: choice.finishReason ?? null,
        },
      ]
    : [];
  return { ...head, object: 'chat.completion.chunk', choices, ...(usage === undefined ? {} : { usage }) };
}

export function usageOf(promptTokens: number, { completionTokens }: AnswerProgress): object {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}

/** Null when log-probabilities were not asked for. */
export function logprobsOf(
  parts: readonly AnswerPart[],
  asked: { readonly top: number | null; readonly pieceOf: (id: number) => TokenPiece },
): object | null {
  if (asked.top === null) return null;
  const show = ({ id, logProbability }: Pick<EngineToken, 'id' | 'logProbability'>) => {
    const { token, bytes } = asked.pieceOf(id);
    return { token, logprob: logProbability, bytes };
  };
  const tokens = parts.flatMap((part) => part.tokens);
  return { content: tokens.map((token) => ({ ...show(token), top_logprobs: token.top.map(show) })), refusal: null };
}
