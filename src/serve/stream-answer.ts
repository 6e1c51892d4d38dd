import { MartletError } from '../core/error.ts';
import type { Engine, EngineToken } from '../spec/engine.ts';
import type { Sampling } from '../spec/train-engine.ts';
import { stopFilter } from './stop-strings.ts';
import { textStream } from './text-stream.ts';

export interface AnswerRequest {
  readonly engine: Pick<Engine, 'generate'>;
  readonly decode: (ids: readonly number[]) => string;
  readonly model: string;
  readonly prompt: readonly number[];
  readonly sampling: Sampling;
  /** The answer ends before the first of these. */
  readonly stop: readonly string[];
  readonly topLogProbabilities: number | null;
  readonly signal: AbortSignal;
  /** Kept up to date before each part is given, for whoever must know how far a broken-off answer got. */
  readonly progress: AnswerProgress;
}

export interface AnswerProgress {
  /** The parts given, together. */
  text: string;
  /** Tokens generated, without the stop token. */
  completionTokens: number;
}

/** Text that is certain, and the tokens that begin in it. */
export interface AnswerPart {
  readonly text: string;
  /** Empty unless log-probabilities were asked for. */
  readonly tokens: readonly EngineToken[];
}

export type AnswerEnd = 'stop' | 'length';

/**
 * One answer as text. The parts together are the answer; nothing of a stop string, of a special token or of half a
 * character ever stands in one.
 * @returns why it ended
 */
export async function* streamAnswer(request: AnswerRequest): AsyncGenerator<AnswerPart, AnswerEnd> {
  const { engine, decode, model, prompt, sampling, topLogProbabilities, signal, progress } = request;
  const text = textStream(decode);
  const stops = stopFilter(request.stop);
  const waiting: { readonly token: EngineToken; readonly start: number }[] = [];
  let decoded = 0;

  const part = (piece: string, last: boolean): AnswerPart | undefined => {
    progress.text += piece;
    const given = progress.text.length;
    const tokens: EngineToken[] = [];
    // At the end, tokens that add no text (half a character that was never finished) still belong to the answer.
    while (waiting[0] && (waiting[0].start < given || (last && waiting[0].start === given)))
      tokens.push((waiting.shift() as { token: EngineToken }).token);
    return piece === '' && tokens.length === 0 ? undefined : { text: piece, tokens };
  };

  for await (const token of engine.generate({ model, prompt, sampling, topLogProbabilities, signal })) {
    const ended = token.finishReason;
    let piece = '';
    if (ended !== 'stop') {
      progress.completionTokens++;
      if (topLogProbabilities !== null) waiting.push({ token, start: decoded });
      piece = text.push(token.id);
    }
    if (ended) piece += text.end();
    decoded += piece.length;
    const cut = stops.push(piece);
    const rest = ended && !cut.stopped ? stops.end() : '';
    const next = part(cut.text + rest, ended !== null && !cut.stopped);
    if (next) yield next;
    if (cut.stopped) return 'stop';
    if (ended) return ended;
  }
  throw new MartletError('engine-stopped', 'the engine ended an answer without a reason', { retryable: true });
}
