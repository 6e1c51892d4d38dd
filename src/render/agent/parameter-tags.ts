import { jsonOrText } from '../json-text.ts';
import type { TemplateData } from '../messages.ts';
import { eachArgument, type Format, groupsOf, jsonObject, type ParsedCall, readBare, takeOut } from './format.ts';
import { join, ownWords, type Piece, type Written, words } from './written.ts';

/** How a format writes a call in which each argument stands between tags of its own. */
export interface Tags {
  /** A call: its name, and its parameters as they were written. */
  readonly call: (name: string, parameters: Written) => Written;
  readonly parameter: (key: string, value: TemplateData) => Piece;
  readonly betweenParameters: string;
  readonly betweenCalls: string;
  /** Written around all calls of a turn. */
  readonly around?: readonly [open: string, close: string];
  /** Groups `name` and `parameters`. */
  readonly readCall: RegExp;
  /** Groups `key`, `value`, and `kind` where it is said whether the value is text. */
  readonly readParameter: RegExp;
  /** What a value is whose type the tool does not give. */
  readonly untyped: 'text' | 'json';
}

export function parameterFormat(
  tags: Tags,
  rest: Pick<Format, 'system' | 'results' | 'opens'> & Partial<Format>,
): Format {
  const [open, close] = tags.around ?? ['', ''];
  const { readCall, readParameter, untyped } = tags;
  const block = new RegExp(
    `${optional(open)}${readCall.source}(?:\\s*${readCall.source.replaceAll(/\?<\w+>/g, '')})*${optional(close)}`,
    'gs',
  );
  return {
    calls: (calls) =>
      words`${ownWords(open)}${join(
        calls.map((call) => tags.call(call.name, eachArgument(call, tags.parameter, tags.betweenParameters))),
        tags.betweenCalls,
      )}${ownWords(close)}`,
    parse: (answer, tools) =>
      takeOut(answer, block, (text) =>
        groupsOf(text, readCall).map(({ name = '', parameters = '' }): ParsedCall => {
          const call = name.trim();
          const members = groupsOf(parameters, readParameter).map(({ key = '', value = '', kind }) => {
            const text = kind === 'true';
            const place = { tools, call, key: key.trim(), untyped } as const;
            return [key.trim(), text ? value : kind === 'false' ? jsonOrText(value) : readBare(value, place)] as const;
          });
          return { name: call, arguments: jsonObject(members) };
        }),
      ),
    ...rest,
  };
}

/** The words around all calls; their line breaks are layout. */
function optional(around: string): string {
  const quoted = around.trim().replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return quoted === '' ? '' : `(?:\\s*${quoted}\\s*)?`;
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
