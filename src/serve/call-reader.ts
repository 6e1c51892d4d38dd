import { fingerprint } from '../core/fingerprint.ts';
import type { Encoder } from '../models/encoder.ts';
import type { TemplateData } from '../render/index.ts';
import type { Capture } from '../schema/deployment.ts';
import type { Sample } from '../schema/sample.ts';
import { stopFilter } from './stop-strings.ts';

/** An answer taken apart, as it goes on record. */
export type AnswerMessage = NonNullable<Capture['message']>;

/** Reads the calls out of an answer to a question with tools. */
export interface CallReader {
  /** Text of ids, in which the special tokens that calls are written with stay. */
  readonly decode: (ids: readonly number[]) => string;
  readonly read: (text: string, answer: string) => AnswerMessage;
  /** For a stream: lets out what is certain to be said, and not part of a call. */
  readonly filter: () => ContentFilter;
}

export interface ContentFilter {
  /** @returns what may be given of the text so far */
  push(text: string): string;
  /** @returns what of the whole message has not been given */
  end(content: string): string;
}

export function callReader(
  encoder: Pick<Encoder, 'tokenizer' | 'toolCalls'>,
  tools: NonNullable<Sample['tools']>,
): CallReader {
  const { tokenizer } = encoder;
  const { marks, openings, parse } = encoder.toolCalls();
  const special = new Set([...tokenizer.addedTokens.values()].flatMap((token) => (token.special ? [token.id] : [])));
  return {
    decode: (ids) => tokenizer.decode(ids.filter((id) => marks.has(id) || !special.has(id))),
    read(text, answer) {
      const { content, calls } = parse(text, tools as readonly TemplateData[]);
      return {
        content,
        toolCalls: calls.map(({ name, arguments: given }, index) => ({
          // Nine signs, as Mistral's templates want them when the call comes back.
          id: fingerprint({ answer, index }).slice(0, 9),
          type: 'function' as const,
          function: { name, arguments: given },
        })),
      };
    },
    filter: () => contentFilter(openings),
  };
}

/** Text up to where a call may begin; white space in front of that may be layout, and waits too. */
function contentFilter(openings: readonly string[]): ContentFilter {
  const before = stopFilter(openings);
  let given = '';
  let waiting = '';
  let open = openings.includes('');
  return {
    push(text) {
      if (open) return '';
      const cut = before.push(text);
      open = cut.stopped;
      const certain = waiting + cut.text;
      const piece = certain.trimEnd();
      waiting = certain.slice(piece.length);
      given += piece;
      return piece;
    },
    end: (content) => (content.startsWith(given) ? content.slice(given.length) : ''),
  };
}
