import { jsonOrText } from '../json-text.ts';
import type { TemplateData } from '../messages.ts';
import { eachArgument, type Format, jsonObject, readBare, takeCalls } from './format.ts';
import { findAll, type Hole, type Shape } from './scan.ts';
import { join, ownWords, type Piece, type Written, words } from './written.ts';

/** What calls are read into. A name ends where a tag begins, so that one left open costs no more than its own length. */
export const holes = {
  name: { hole: 'name', run: /[^<>"\n]+/y },
  parameters: { hole: 'parameters' },
  key: { hole: 'key', run: /[^<>"\n]+/y },
  value: { hole: 'value' },
} as const satisfies Readonly<Record<string, Hole>>;

/** How a format writes a call in which each argument stands between tags of its own. */
export interface Tags {
  /** A call: its name, and its parameters as they were written. */
  readonly call: (name: string, parameters: Written) => Written;
  readonly parameter: (key: string, value: TemplateData) => Piece;
  readonly betweenParameters: string;
  readonly betweenCalls: string;
  /** Written around all calls of a turn. */
  readonly around?: readonly [open: string, close: string];
  /** Holes `name` and `parameters`. */
  readonly readCall: Shape;
  /** Holes `key`, `value`, and `kind` where it is said whether the value is text. */
  readonly readParameter: Shape;
  /** A value without its layout. */
  readonly unwrap?: (text: string) => string;
  /** What a value is whose type the tool does not give. */
  readonly untyped: 'text' | 'json';
}

export function parameterFormat(
  tags: Tags,
  rest: Pick<Format, 'system' | 'results' | 'opens'> & Partial<Format>,
): Format {
  const [open, close] = tags.around ?? ['', ''];
  const { readCall, readParameter, untyped, unwrap = (text) => text } = tags;
  return {
    calls: (calls) =>
      words`${ownWords(open)}${join(
        calls.map((call) => tags.call(call.name, eachArgument(call, tags.parameter, tags.betweenParameters))),
        tags.betweenCalls,
      )}${ownWords(close)}`,
    parse: (answer, tools) =>
      takeCalls(answer, readCall, {
        around: [open.trim(), close.trim()],
        read: ({ name = '', parameters = '' }) => {
          const call = name.trim();
          const members = findAll(parameters, readParameter).map(({ holes: { key = '', value: given = '', kind } }) => {
            const value = unwrap(given);
            const text = kind === 'true';
            const place = { tools, call, key: key.trim(), untyped } as const;
            return [key.trim(), text ? value : kind === 'false' ? jsonOrText(value) : readBare(value, place)] as const;
          });
          return [{ name: call, arguments: jsonObject(members) }];
        },
      }),
    ...rest,
  };
}

/** Said, without space at its edges, and this between it and the calls where it says something. */
export const apart =
  (between: string): NonNullable<Format['meet']> =>
  (said, calls) =>
    said.trim() === '' ? calls : words`${said.trim()}${ownWords(between)}${calls}`;

export const toolResponse = ({ content }: { readonly content: string }): Written =>
  words`<tool_response>${content}</tool_response>`;
export const toolResponseLines = ({ content }: { readonly content: string }): Written =>
  words`<tool_response>\n${content}\n</tool_response>`;
