import { afterEach, beforeEach, expect, test } from 'vitest';
import { randomStream } from '../../core/random.ts';
import { applyAgent, callNotations, namedFormats, parseAnswer } from './agent.ts';

/** Signs that text and patterns were asked to look at. */
let steps = 0;
const text = String.prototype;
const kept = {
  indexOf: text.indexOf,
  lastIndexOf: text.lastIndexOf,
  includes: text.includes,
  trim: text.trim,
  trimStart: text.trimStart,
  trimEnd: text.trimEnd,
  exec: RegExp.prototype.exec,
  parse: JSON.parse,
};

/** Counts what every search looks at, as far as can be told from where it began and ended. */
function count(): void {
  text.indexOf = function (this: string, mark: string, from = 0) {
    const at = kept.indexOf.call(this, mark, from);
    steps += (at < 0 ? this.length : at + mark.length) - from;
    return at;
  };
  text.lastIndexOf = function (this: string, mark: string, from = this.length) {
    const at = kept.lastIndexOf.call(this, mark, from);
    steps += from - Math.max(at, 0);
    return at;
  };
  text.includes = function (this: string, mark: string, from = 0) {
    return this.indexOf(mark, from) >= 0;
  };
  for (const name of ['trim', 'trimStart', 'trimEnd'] as const)
    text[name] = function (this: string) {
      const cut = kept[name].call(this);
      steps += this.length - cut.length + 1;
      return cut;
    };
  RegExp.prototype.exec = function (this: RegExp, given: string) {
    const from = this.global || this.sticky ? this.lastIndex : 0;
    const found = kept.exec.call(this, given);
    if (found) steps += found.index + found[0].length - from + 1;
    else steps += this.sticky ? 1 : given.length - from;
    return found;
  };
  JSON.parse = (given: string) => {
    steps += given.length;
    return kept.parse(given) as unknown;
  };
}

function restore(): void {
  const { exec, parse, ...strings } = kept;
  Object.assign(text, strings);
  RegExp.prototype.exec = exec;
  JSON.parse = parse;
}

beforeEach(() => {
  steps = 0;
});
afterEach(restore);

function stepsFor(notation: (typeof callNotations)[number], answer: string): number {
  steps = 0;
  count();
  try {
    parseAnswer(notation, answer, []);
  } finally {
    restore();
  }
  return steps;
}

const lineOf = (length: number, piece: string): string => piece.repeat(Math.ceil(length / piece.length));

/** A call as each notation writes it. */
const written: Readonly<Record<string, string>> = {
  harmony: ' to=functions.f<|channel|>commentary json<|message|>{"a": "b", "c": {"d": [1]}}<|call|>',
  muse: '<|start|>assistant to=f<|message|><atem:function_calls>\n<atem:invoke name="f">\n<atem:parameter name="a">b</atem:parameter>\n</atem:invoke>\n</atem:function_calls><|eom|>',
  lfm2: `<|tool_call_start|>[f(a='b', c={"d": [1]}, e=True)]<|tool_call_end|>`,
};
for (const format of namedFormats) {
  const call = { function: { name: 'f', arguments: { a: 'b', c: { d: [1] } } } };
  const { messages } = applyAgent(format, {
    messages: [{ role: 'user', content: 'q' }, { role: 'assistant', content: '', tool_calls: [call, call] } as never],
  });
  Object.assign(written, { [format]: String(messages[1]?.content) });
}

test.each(callNotations)('%s takes time by the length of an answer, whatever is in it', (notation) => {
  const whole = written[notation] ?? '';
  const random = randomStream(7);
  const pieces = [
    '{',
    '{"',
    '{"a":',
    '{"name":"a","parameters":',
    '[',
    '}',
    '"',
    ' ',
    '\n',
    '<',
    '</',
    '\n{',
    "'",
    '\\',
  ];
  for (let round = 0; round < 60; round++) {
    const start = random.below(whole.length);
    const end = start + 1 + random.below(whole.length - start);
    pieces.push(whole.slice(0, end), whole.slice(start), whole.slice(start, end));
  }
  const opening = whole.slice(0, 1 + random.below(whole.length));
  for (const piece of pieces)
    for (const [before, behind] of [
      ['', ''],
      [opening, ''],
      ['', whole],
    ] as const) {
      const [less, more] = [4_000, 16_000].map((length) => stepsFor(notation, before + lineOf(length, piece) + behind));
      expect(more, JSON.stringify({ before, piece, behind })).toBeLessThan(5 * (less ?? 0) + 20_000);
    }
});
