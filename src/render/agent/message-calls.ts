import { jsonOrText, jsonText } from '../json-text.ts';
import type { CallReader, ParsedCall } from './format.ts';
import { holes, parameterFormat } from './parameter-tags.ts';
import { words } from './written.ts';

/** Models whose answer is several messages, each with a head that says whom it is for. Their calls are only read. */

interface Message {
  readonly head: string;
  readonly body: string;
}

const bodyMark = '<|message|>';

/** The messages of an answer; one that begins without a head has an empty one. */
function messagesIn(answer: string, marks: RegExp): readonly Message[] {
  return answer.split(marks).flatMap((piece, index) => {
    const at = piece.indexOf(bodyMark);
    if (at >= 0) return [{ head: piece.slice(0, at), body: piece.slice(at + bodyMark.length) }];
    return index === 0 && piece !== '' ? [{ head: '', body: piece }] : [];
  });
}

const said = (texts: readonly string[]): string =>
  texts
    .map((text) => text.trim())
    .join('\n')
    .trim();

/** GPT-OSS: a call is a message to a function, with its arguments as JSON; the channel `analysis` is reasoning. */
export const harmony: CallReader = {
  parse(answer) {
    const calls: ParsedCall[] = [];
    const texts: string[] = [];
    for (const { head, body } of messagesIn(answer, /<\|(?:start|end|call|return)\|>/)) {
      const [, name] = /(?:^|[\s>])to=functions\.([^\s<]+)/.exec(head) ?? [];
      if (name !== undefined) calls.push({ name, arguments: jsonText(jsonOrText(body.trim())) });
      else if (!head.includes('<|channel|>analysis')) texts.push(body);
    }
    return answer.includes(bodyMark) ? { content: said(texts), calls } : { content: answer, calls: [] };
  },
  opens: ['<|start|>', '<|channel|>', ' to=functions.'],
  marks: ['<|start|>', '<|end|>', '<|message|>', '<|channel|>', '<|constrain|>', '<|call|>', '<|return|>'],
};

const museTags = parameterFormat(
  {
    call: (name, parameters) => words`<atem:invoke name="${name}">\n${parameters}</atem:invoke>`,
    parameter: (key, value) => words`<atem:parameter name="${key}">${jsonText(value)}</atem:parameter>\n`,
    betweenParameters: '',
    betweenCalls: '\n',
    around: ['<atem:function_calls>', '</atem:function_calls>'],
    readCall: ['<atem:invoke name="', holes.name, '">', holes.parameters, '</atem:invoke>'],
    readParameter: ['<atem:parameter name="', holes.key, '">', holes.value, '</atem:parameter>'],
    untyped: 'json',
  },
  { system: () => words``, results: () => [], opens: ['<atem:function_calls>'] },
);

/** Muse: a call stands in tags, in a message to the function; what is for `self` is reasoning. */
export const muse: CallReader = {
  parse(answer, tools) {
    const calls: ParsedCall[] = [];
    const texts: string[] = [];
    for (const { head, body } of messagesIn(answer, /<\|(?:start|eom|eot)\|>/)) {
      const found = museTags.parse(body, tools);
      calls.push(...found.calls);
      if (!/(?:^|\s)to=self(?:\s|$)/.test(head)) texts.push(found.content);
    }
    return answer.includes(bodyMark) || calls.length > 0
      ? { content: said(texts), calls }
      : { content: answer, calls: [] };
  },
  opens: ['<|start|>', ' to=', '<|message|>', '<atem:function_calls>'],
  marks: ['<|start|>', '<|message|>', '<|eom|>', '<|eot|>'],
};
