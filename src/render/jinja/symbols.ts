import {
  type CallBlockNode,
  children,
  type Expr,
  type ForNode,
  type IfNode,
  type MacroNode,
  type Stmt,
  type WithNode,
} from './ast.ts';

/** One activation's worth of variables: what a Python function would hold. */
export interface FunctionScope {
  readonly parent: FunctionScope | undefined;
  readonly slots: Map<string, number>;
}

/** A variable: where it lives. `identifier` is unique along a chain of scopes, as the level is part of it. */
export interface Ref {
  readonly identifier: string;
  readonly scope: FunctionScope;
  readonly slot: number;
}

/** What a variable holds when its frame is entered. */
export type Load =
  | { readonly kind: 'parameter' }
  | { readonly kind: 'resolve'; readonly name: string }
  | { readonly kind: 'alias'; readonly of: Ref }
  | { readonly kind: 'undefined' };

/**
 * Jinja decides at compile time which variable a name means: loops, macros, blocks and `with` make a frame; assigning a
 * name there makes a new variable that starts as a copy of the outer one. This follows jinja2's `idtracking`.
 */
export class Symbols {
  readonly level: number;
  readonly parent: Symbols | undefined;
  readonly scope: FunctionScope;
  refs = new Map<string, Ref>();
  loads = new Map<string, { ref: Ref; load: Load }>();
  stores = new Set<string>();

  constructor(parent: Symbols | undefined, scope: FunctionScope) {
    this.parent = parent;
    this.scope = scope;
    this.level = parent ? parent.level + 1 : 0;
  }

  find(name: string): Ref | undefined {
    return this.refs.get(name) ?? this.parent?.find(name);
  }

  findLoad(identifier: string): Load | undefined {
    return this.loads.get(identifier)?.load ?? this.parent?.findLoad(identifier);
  }

  store(name: string): void {
    this.stores.add(name);
    if (this.refs.has(name)) return;
    const outer = this.parent?.find(name);
    this.define(name, outer ? { kind: 'alias', of: outer } : { kind: 'undefined' });
  }

  parameter(name: string): Ref {
    this.stores.add(name);
    return this.define(name, { kind: 'parameter' });
  }

  load(name: string): void {
    if (!this.find(name)) this.define(name, { kind: 'resolve', name });
  }

  /** Names stored here or further out, with the variable each means here. */
  stored(): ReadonlyMap<string, Ref> {
    const result = new Map<string, Ref>();
    for (let node: Symbols | undefined = this; node; node = node.parent)
      for (const name of node.stores) {
        const ref = this.find(name);
        if (ref && !result.has(name)) result.set(name, ref);
      }
    return result;
  }

  copy(): Symbols {
    const copy = new Symbols(this.parent, this.scope);
    copy.refs = new Map(this.refs);
    copy.loads = new Map(this.loads);
    copy.stores = new Set(this.stores);
    return copy;
  }

  /** Takes over what the branches of an `if` found; a name stored in only some of them is looked up outside first. */
  join(branches: readonly Symbols[]): void {
    const added = new Set(branches.flatMap((branch) => [...branch.stores]).filter((name) => !this.stores.has(name)));
    for (const branch of branches) {
      for (const [name, ref] of branch.refs) this.refs.set(name, ref);
      for (const [identifier, load] of branch.loads) this.loads.set(identifier, load);
      for (const name of branch.stores) this.stores.add(name);
    }
    for (const name of added) {
      const ref = this.find(name);
      if (!ref) continue;
      const outer = this.parent?.find(name);
      this.loads.set(ref.identifier, { ref, load: outer ? { kind: 'alias', of: outer } : { kind: 'resolve', name } });
    }
  }

  private define(name: string, load: Load): Ref {
    const identifier = `${this.level}_${name}`;
    const { slots } = this.scope;
    const slot = slots.get(identifier) ?? slots.size;
    slots.set(identifier, slot);
    const ref: Ref = { identifier, scope: this.scope, slot };
    this.refs.set(name, ref);
    this.loads.set(identifier, { ref, load });
    return ref;
  }
}

/** A frame's own names: what its parameters and body mention, without going into frames inside. */
export function analyse(symbols: Symbols, nodes: readonly (Expr | Stmt)[]): void {
  for (const node of nodes) visit(symbols, node);
}

export function analyseMacro(symbols: Symbols, node: MacroNode | CallBlockNode): void {
  analyse(symbols, [...node.args, ...node.defaults, ...node.body]);
}

export function analyseFor(symbols: Symbols, ...[node, branch]: [ForNode, 'body' | 'else' | 'test']): void {
  if (branch !== 'else') declare(symbols, node.target);
  if (branch === 'body') analyse(symbols, node.body);
  else if (branch === 'else') analyse(symbols, node.otherwise);
  else if (node.test) visit(symbols, node.test);
}

export function analyseWith(symbols: Symbols, node: WithNode): void {
  analyse(symbols, [...node.targets, ...node.body]);
}

function declare(symbols: Symbols, target: Expr): void {
  if (target.type === 'name') symbols.parameter(target.name);
  else for (const child of children(target)) declare(symbols, child as Expr);
}

function visit(symbols: Symbols, node: Expr | Stmt): void {
  switch (node.type) {
    case 'name':
      if (node.context === 'param') symbols.parameter(node.name);
      else if (node.context === 'store') symbols.store(node.name);
      else symbols.load(node.name);
      break;
    case 'nsref':
      symbols.load(node.name);
      break;
    case 'if':
      visitIf(symbols, node);
      break;
    case 'macro':
      symbols.store(node.name);
      break;
    case 'elsewhere':
      for (const name of node.stores) symbols.store(name);
      break;
    case 'set':
      visit(symbols, node.value);
      visit(symbols, node.target);
      break;
    case 'for':
      visit(symbols, node.iter);
      break;
    case 'callblock':
      if (node.call) visit(symbols, node.call);
      break;
    case 'filterblock':
      visit(symbols, node.filter);
      break;
    case 'with':
      analyse(symbols, node.values);
      break;
    case 'setblock':
      visit(symbols, node.target);
      break;
    case 'block':
      break;
    default:
      analyse(symbols, children(node));
  }
}

function visitIf(symbols: Symbols, node: IfNode): void {
  visit(symbols, node.test);
  const branches = [node.body, node.elifs, node.otherwise].map((body) => {
    const branch = symbols.copy();
    analyse(branch, body);
    return branch;
  });
  symbols.join(branches);
}

/** Which of the names are read below these nodes before anything there assigns them. */
export function undeclared(nodes: readonly (Expr | Stmt)[], names: readonly string[]): ReadonlySet<string> {
  const searched = new Set(names);
  const found = new Set<string>();
  const walk = (node: Expr | Stmt): void => {
    if (node.type === 'name') {
      if (node.context !== 'load') searched.delete(node.name);
      else if (searched.has(node.name)) found.add(node.name);
    } else if (node.type !== 'block') for (const child of children(node)) walk(child);
  };
  for (const node of nodes) walk(node);
  return found;
}
