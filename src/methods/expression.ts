/**
 * A loss as data: every engine differentiates and evaluates the same expression. Values have a kind:
 * `token` (one number a learned position), `sequence` (one a document) or `scalar`.
 */
export type ValueKind = 'token' | 'sequence' | 'scalar';

export type Expression =
  | { readonly op: 'quantity'; readonly name: string }
  | { readonly op: 'constant'; readonly value: number }
  | { readonly op: UnaryOp; readonly of: Expression }
  | { readonly op: BinaryOp; readonly left: Expression; readonly right: Expression }
  /** token -> sequence: the sum over each document. */
  | { readonly op: 'sumTokens'; readonly of: Expression }
  /** sequence -> token: each document's number at each of its positions. */
  | { readonly op: 'expand'; readonly of: Expression }
  /** anything -> scalar: the sum over the whole step. */
  | { readonly op: 'total'; readonly of: Expression }
  /** The value without its gradient. */
  | { readonly op: 'stopGradient'; readonly of: Expression };

export const unaryOps = [
  'neg',
  'exp',
  'log',
  'sigmoid',
  'logSigmoid',
  'square',
  'sqrt',
  'abs',
  'tanh',
  'relu',
] as const;
export const binaryOps = ['add', 'sub', 'mul', 'div', 'min', 'max', 'greater'] as const;
export type UnaryOp = (typeof unaryOps)[number];
export type BinaryOp = (typeof binaryOps)[number];

/**
 * What an engine can supply. `logProbability` is the only one a gradient flows into.
 * `stepWeight` is the sum of token weights over the whole step, however it is cut into packs.
 */
export const quantities = {
  logProbability: 'token',
  referenceLogProbability: 'token',
  weight: 'token',
  stepWeight: 'scalar',
  stepSequences: 'scalar',
} as const satisfies Record<string, ValueKind>;
export type Quantity = keyof typeof quantities;

export const quantity = (name: Quantity): Expression => ({ op: 'quantity', name });
export const constant = (value: number): Expression => ({ op: 'constant', value });
export const unary = (op: UnaryOp, of: Expression): Expression => ({ op, of });
export const binary = (op: BinaryOp, left: Expression, right: Expression): Expression => ({ op, left, right });
export const neg = (of: Expression): Expression => unary('neg', of);
export const add = (left: Expression, right: Expression): Expression => binary('add', left, right);
export const sub = (left: Expression, right: Expression): Expression => binary('sub', left, right);
export const mul = (left: Expression, right: Expression): Expression => binary('mul', left, right);
export const div = (left: Expression, right: Expression): Expression => binary('div', left, right);
export const sumTokens = (of: Expression): Expression => ({ op: 'sumTokens', of });
export const expand = (of: Expression): Expression => ({ op: 'expand', of });
export const total = (of: Expression): Expression => ({ op: 'total', of });
export const stopGradient = (of: Expression): Expression => ({ op: 'stopGradient', of });
