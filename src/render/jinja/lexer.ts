import { TemplateError } from './error.ts';
import { whitespace } from './unicode.ts';
import { Float, smallest } from './value.ts';

/** A token of the template language. `data` is template text; operators are their own type. */
export interface Token {
  readonly type:
    | 'data'
    | 'block_begin'
    | 'block_end'
    | 'variable_begin'
    | 'variable_end'
    | 'name'
    | 'string'
    | 'integer'
    | 'float'
    | 'operator'
    | 'eof';
  readonly text: string;
  readonly value: string | number | bigint | Float;
  readonly line: number;
}

const space = `[${whitespace}]`;
const nextTag = new RegExp(
  `(?<raw>\\{%(?<rawSign>[-+]?)${space}*raw${space}*(?:-%\\}${space}*|%\\}))|(?<begin>\\{\\{|\\{#|\\{%)(?<sign>[-+]?)`,
  'g',
);
const commentEnd = new RegExp(`\\+#\\}|-#\\}${space}*|#\\}\\n?`, 'g');
const rawEnd = new RegExp(`\\{%([-+]?)${space}*endraw${space}*(?:\\+%\\}|-%\\}${space}*|%\\}\\n?)`, 'g');
const blockEnd = new RegExp(`\\+%\\}|-%\\}${space}*|%\\}\\n?`, 'y');
const variableEnd = new RegExp(`-\\}\\}${space}*|\\}\\}`, 'y');
const spaces = new RegExp(`${space}+`, 'y');
const trailingSpace = new RegExp(`${space}*$`);
const floatPattern = /(?<!\.)(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?[eE][+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/y;
const integerPattern = /0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[\da-fA-F])+|[1-9](?:_?\d)*|0(?:_?0)*/y;
const namePattern = /[\p{XID_Start}_]\p{XID_Continue}*/uy;
const stringPattern = /'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*"/sy;
const operatorPattern = /\*\*|\/\/|==|!=|>=|<=|[-+*/%~[\](){}<>=.:|,;]/y;

const closing: Readonly<Record<string, string>> = { '{': '}', '(': ')', '[': ']' };

/**
 * Cuts a template into tokens, as jinja2's lexer does with trim_blocks and lstrip_blocks on: line breaks become `\n`, one
 * at the very end is dropped, the one behind a block goes, and so does white space between a line's start and a block.
 * @throws TemplateError `syntax`
 */
export function tokenize(template: string): Token[] {
  const source = template.replace(/\r\n|\r/g, '\n').replace(/\n$/, '');
  const tokens: Token[] = [];
  let position = 0;
  let line = 1;
  let lineStarting = true;

  const advance = (end: number): void => {
    for (let i = source.indexOf('\n', position); i >= 0 && i < end; i = source.indexOf('\n', i + 1)) line++;
    lineStarting = end > position ? source[end - 1] === '\n' : lineStarting;
    position = end;
  };
  const data = (text: string): void => {
    if (text !== '') tokens.push({ type: 'data', text, value: text, line });
  };
  const lead = (end: number, { sign, variable }: { sign: string; variable: boolean }): string => {
    const text = source.slice(position, end);
    if (sign === '-') return text.replace(trailingSpace, '');
    if (sign === '+' || variable) return text;
    const lineStart = text.lastIndexOf('\n') + 1;
    if ((lineStart > 0 || lineStarting) && new RegExp(`^${space}+$`).test(text.slice(lineStart)))
      return text.slice(0, lineStart);
    return text;
  };

  while (position < source.length) {
    nextTag.lastIndex = position;
    const match = nextTag.exec(source);
    if (!match?.groups) {
      data(source.slice(position));
      break;
    }
    const { raw, rawSign, begin, sign } = match.groups;
    data(lead(match.index, { sign: rawSign ?? sign ?? '', variable: begin === '{{' }));
    advance(match.index + match[0].length);
    if (raw !== undefined) {
      rawEnd.lastIndex = position;
      const end = rawEnd.exec(source);
      if (!end) throw new TemplateError('syntax', 'Missing end of raw directive', line);
      data(lead(end.index, { sign: end[1] ?? '', variable: false }));
      advance(end.index + end[0].length);
    } else if (begin === '{#') {
      commentEnd.lastIndex = position;
      const end = commentEnd.exec(source);
      if (!end) throw new TemplateError('syntax', 'Missing end of comment tag', line);
      advance(end.index + end[0].length);
    } else tag(begin === '{%' ? 'block' : 'variable');
  }
  tokens.push({ type: 'eof', text: '', value: '', line });
  return tokens;

  function tag(kind: 'block' | 'variable'): void {
    tokens.push({ type: `${kind}_begin`, text: '', value: '', line });
    const open: string[] = [];
    const end = kind === 'block' ? blockEnd : variableEnd;
    while (position < source.length) {
      const ended = open.length === 0 ? matchAt(end, position) : undefined;
      if (ended !== undefined) {
        tokens.push({ type: `${kind}_end`, text: '', value: '', line });
        advance(position + ended.length);
        return;
      }
      advance(position + inner(open));
    }
  }

  /** One token inside a tag; returns its length. */
  function inner(open: string[]): number {
    const gap = matchAt(spaces, position);
    if (gap !== undefined) return gap.length;
    const float = matchAt(floatPattern, position);
    if (float !== undefined) {
      tokens.push({ type: 'float', text: float, value: new Float(Number(float.replaceAll('_', ''))), line });
      return float.length;
    }
    const integer = matchAt(integerPattern, position);
    if (integer !== undefined) {
      tokens.push({ type: 'integer', text: integer, value: smallest(BigInt(integer.replaceAll('_', ''))), line });
      return integer.length;
    }
    const name = matchAt(namePattern, position);
    if (name !== undefined) {
      tokens.push({ type: 'name', text: name, value: name.normalize('NFKC'), line });
      return name.length;
    }
    const quoted = matchAt(stringPattern, position);
    if (quoted !== undefined) {
      tokens.push({ type: 'string', text: quoted, value: decodeEscapes(quoted.slice(1, -1), line), line });
      return quoted.length;
    }
    const operator = matchAt(operatorPattern, position);
    if (operator === undefined)
      throw new TemplateError('syntax', `unexpected char '${source[position]}' at ${position}`, line);
    const closes = closing[operator];
    if (closes !== undefined) open.push(closes);
    else if (operator === '}' || operator === ')' || operator === ']') {
      const expected = open.pop();
      if (expected !== operator)
        throw new TemplateError(
          'syntax',
          `unexpected '${operator}'${expected === undefined ? '' : `, expected '${expected}'`}`,
          line,
        );
    }
    tokens.push({ type: 'operator', text: operator, value: operator, line });
    return operator.length;
  }

  function matchAt(pattern: RegExp, at: number): string | undefined {
    pattern.lastIndex = at;
    return pattern.exec(source)?.[0];
  }
}

const simpleEscapes: Readonly<Record<string, string>> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

const escapePattern = /\\(?:([0-7]{1,3})|x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|(.)|$)/gsu;

/** Python's unicode-escape decoding of what jinja2 hands it. */
function decodeEscapes(text: string, line: number): string {
  return text.replace(escapePattern, (whole, octal, two, four, eight, other) => {
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8));
    const hex = two ?? four ?? eight;
    if (hex !== undefined) {
      const code = Number.parseInt(hex, 16);
      if (code > 0x10ffff) throw new TemplateError('syntax', 'illegal Unicode character in a string', line);
      return String.fromCodePoint(code);
    }
    if (other === undefined) throw new TemplateError('syntax', 'a string ends in a backslash', line);
    if (other === 'x' || other === 'u' || other === 'U')
      throw new TemplateError('syntax', `truncated \\${other} escape in a string`, line);
    if (other === 'N') throw new TemplateError('unsupported', 'named characters (\\N{...}) are not available', line);
    const simple = simpleEscapes[other];
    if (simple !== undefined) return simple;
    // jinja2 writes other characters as escapes first, so that the backslash in front swallows theirs.
    const code = other.codePointAt(0) ?? 0;
    if (code <= 0x7f) return whole;
    if (code <= 0xff) return `\\x${code.toString(16).padStart(2, '0')}`;
    return code <= 0xffff ? `\\u${code.toString(16).padStart(4, '0')}` : `\\U${code.toString(16).padStart(8, '0')}`;
  });
}
