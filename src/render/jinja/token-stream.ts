import { TemplateError } from './error.ts';
import { type Token, tokenize } from './lexer.ts';

/** Tokens with one step of look-ahead. */
export interface TokenStream {
  current(): Token;
  ahead(): Token;
  next(): Token;
  isOperator(text: string): boolean;
  isName(text: string): boolean;
  skipOperator(text: string): boolean;
  skipName(text: string): boolean;
  expect(type: Token['type']): Token;
  expectOperator(text: string): Token;
  expectName(text: string): Token;
  fail(message: string): TemplateError;
}

/** @throws TemplateError `syntax` */
export function tokenStream(source: string): TokenStream {
  const tokens = tokenize(source);
  const end = tokens.at(-1) as Token;
  let position = 0;
  const current = (): Token => tokens[position] ?? end;
  const next = (): Token => tokens[position++] ?? end;
  const isOperator = (text: string): boolean => current().type === 'operator' && current().text === text;
  const isName = (text: string): boolean => current().type === 'name' && current().text === text;
  const fail = (message: string): TemplateError => new TemplateError('syntax', message, current().line);
  const unexpected = (expected: string): TemplateError =>
    fail(
      `expected ${expected}, got ${current().text === '' ? current().type.replace('_', ' ') : `'${current().text}'`}`,
    );
  return {
    current,
    ahead: () => tokens[position + 1] ?? end,
    next,
    isOperator,
    isName,
    fail,
    skipOperator: (text) => isOperator(text) && next() !== undefined,
    skipName: (text) => isName(text) && next() !== undefined,
    expect: (type) => {
      if (current().type !== type) throw unexpected(type.replace('_', ' '));
      return next();
    },
    expectOperator: (text) => {
      if (!isOperator(text)) throw unexpected(`'${text}'`);
      return next();
    },
    expectName: (text) => {
      if (!isName(text)) throw unexpected(`'${text}'`);
      return next();
    },
  };
}
