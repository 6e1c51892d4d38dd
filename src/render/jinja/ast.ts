import type { Value } from './value.ts';

/** The syntax tree; nodes and fields follow jinja2's, in its order, because scoping depends on the order of visits. */
export interface Arguments {
  readonly args: readonly Expr[];
  readonly kwargs: readonly { readonly name: string; readonly value: Expr }[];
  readonly dynArgs: Expr | undefined;
  readonly dynKwargs: Expr | undefined;
}

export type BinaryOperator = '+' | '-' | '*' | '/' | '//' | '%' | '**';
export type CompareOperator = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'notin';

export interface NameNode {
  readonly type: 'name';
  readonly name: string;
  readonly context: 'load' | 'store' | 'param';
  readonly line: number;
}
export interface NamespaceRef {
  readonly type: 'nsref';
  readonly name: string;
  readonly attribute: string;
  readonly line: number;
}
export interface TupleNode {
  readonly type: 'tuple';
  readonly items: readonly Expr[];
  readonly line: number;
}
export interface FilterNode {
  readonly type: 'filter';
  readonly object: Expr | undefined;
  readonly name: string;
  readonly call: Arguments;
  readonly line: number;
}
export interface CallNode {
  readonly type: 'call';
  readonly callee: Expr;
  readonly call: Arguments;
  readonly line: number;
}

export type Expr =
  | { readonly type: 'const'; readonly value: Value; readonly line: number }
  | NameNode
  | NamespaceRef
  | TupleNode
  | { readonly type: 'list'; readonly items: readonly Expr[]; readonly line: number }
  | { readonly type: 'dict'; readonly pairs: readonly (readonly [Expr, Expr])[]; readonly line: number }
  | { readonly type: 'getattr'; readonly object: Expr; readonly name: string; readonly line: number }
  | { readonly type: 'getitem'; readonly object: Expr; readonly index: Expr; readonly line: number }
  | {
      readonly type: 'slice';
      readonly start: Expr | undefined;
      readonly stop: Expr | undefined;
      readonly step: Expr | undefined;
      readonly line: number;
    }
  | CallNode
  | FilterNode
  | {
      readonly type: 'test';
      readonly object: Expr;
      readonly name: string;
      readonly call: Arguments;
      readonly line: number;
    }
  | { readonly type: 'not'; readonly operand: Expr; readonly line: number }
  | { readonly type: 'sign'; readonly sign: '+' | '-'; readonly operand: Expr; readonly line: number }
  | {
      readonly type: 'binary';
      readonly operator: BinaryOperator;
      readonly left: Expr;
      readonly right: Expr;
      readonly line: number;
    }
  | {
      readonly type: 'logic';
      readonly operator: 'and' | 'or';
      readonly left: Expr;
      readonly right: Expr;
      readonly line: number;
    }
  | {
      readonly type: 'compare';
      readonly first: Expr;
      readonly rest: readonly { readonly operator: CompareOperator; readonly operand: Expr }[];
      readonly line: number;
    }
  | { readonly type: 'concat'; readonly items: readonly Expr[]; readonly line: number }
  | {
      readonly type: 'cond';
      readonly test: Expr;
      readonly yes: Expr;
      readonly no: Expr | undefined;
      readonly line: number;
    };

export type Target = NameNode | NamespaceRef | TupleNode;

export interface Signature {
  readonly args: readonly NameNode[];
  readonly defaults: readonly Expr[];
}

export interface ForNode {
  readonly type: 'for';
  readonly target: Target;
  readonly iter: Expr;
  readonly body: readonly Stmt[];
  readonly otherwise: readonly Stmt[];
  readonly test: Expr | undefined;
  readonly recursive: boolean;
  readonly line: number;
}
export interface IfNode {
  readonly type: 'if';
  readonly test: Expr;
  readonly body: readonly Stmt[];
  readonly elifs: readonly IfNode[];
  readonly otherwise: readonly Stmt[];
  readonly line: number;
}
export interface MacroNode extends Signature {
  readonly type: 'macro';
  readonly name: string;
  readonly body: readonly Stmt[];
  readonly line: number;
}
export interface CallBlockNode extends Signature {
  readonly type: 'callblock';
  /** Nothing for `{% generation %}`, which calls its own body. */
  readonly call: CallNode | undefined;
  readonly body: readonly Stmt[];
  readonly line: number;
}
export interface WithNode {
  readonly type: 'with';
  readonly targets: readonly Target[];
  readonly values: readonly Expr[];
  readonly body: readonly Stmt[];
  readonly line: number;
}

export type Stmt =
  | { readonly type: 'output'; readonly items: readonly (string | Expr)[]; readonly line: number }
  | ForNode
  | IfNode
  | MacroNode
  | CallBlockNode
  | WithNode
  | { readonly type: 'filterblock'; readonly filter: FilterNode; readonly body: readonly Stmt[]; readonly line: number }
  | { readonly type: 'set'; readonly target: Target; readonly value: Expr; readonly line: number }
  | {
      readonly type: 'setblock';
      readonly target: Target;
      readonly filter: FilterNode | undefined;
      readonly body: readonly Stmt[];
      readonly line: number;
    }
  | {
      readonly type: 'block';
      readonly name: string;
      readonly body: readonly Stmt[];
      readonly scoped: boolean;
      readonly line: number;
    }
  | { readonly type: 'break' | 'continue'; readonly line: number }
  /** A tag that needs other templates, of which a chat template has none: an error when it is reached. */
  | { readonly type: 'elsewhere'; readonly tag: string; readonly stores: readonly string[]; readonly line: number };

/** What stands below a node, in jinja2's order of fields. */
export function children(node: Expr | Stmt): readonly (Expr | Stmt)[] {
  switch (node.type) {
    case 'const':
    case 'name':
    case 'nsref':
    case 'break':
    case 'continue':
    case 'elsewhere':
      return [];
    case 'tuple':
    case 'list':
    case 'concat':
      return node.items;
    case 'dict':
      return node.pairs.flat();
    case 'getattr':
      return [node.object];
    case 'getitem':
      return [node.object, node.index];
    case 'slice':
      return present([node.start, node.stop, node.step]);
    case 'call':
      return [node.callee, ...callChildren(node.call)];
    case 'filter':
    case 'test':
      return [...present([node.object]), ...callChildren(node.call)];
    case 'not':
    case 'sign':
      return [node.operand];
    case 'binary':
    case 'logic':
      return [node.left, node.right];
    case 'compare':
      return [node.first, ...node.rest.map((item) => item.operand)];
    case 'cond':
      return present([node.test, node.yes, node.no]);
    case 'output':
      return node.items.filter((item) => typeof item !== 'string');
    case 'for':
      return [node.target, node.iter, ...node.body, ...node.otherwise, ...present([node.test])];
    case 'if':
      return [node.test, ...node.body, ...node.elifs, ...node.otherwise];
    case 'macro':
      return [...node.args, ...node.defaults, ...node.body];
    case 'callblock':
      return [...present([node.call]), ...node.args, ...node.defaults, ...node.body];
    case 'with':
      return [...node.targets, ...node.values, ...node.body];
    case 'filterblock':
      return [...node.body, node.filter];
    case 'set':
      return [node.target, node.value];
    case 'setblock':
      return [node.target, ...present([node.filter]), ...node.body];
    case 'block':
      return node.body;
  }
}

function callChildren(call: Arguments): readonly Expr[] {
  return [...call.args, ...call.kwargs.map((item) => item.value), ...present([call.dynArgs, call.dynKwargs])];
}

function present<T>(items: readonly (T | undefined)[]): T[] {
  return items.filter((item) => item !== undefined);
}
