import type { Arguments, BinaryOperator, CompareOperator, Expr, NameNode, Target } from './ast.ts';
import type { TemplateError } from './error.ts';
import type { TokenStream } from './token-stream.ts';
import type { Value } from './value.ts';

interface TupleOptions {
  /** Whether `a if b else c` is allowed without brackets. */
  readonly conditional?: boolean;
  /** Names that end the tuple, such as `in` of a for loop. */
  readonly ends?: readonly string[];
  /** Only names and literals: an assignment target. */
  readonly simple?: boolean;
  readonly parenthesised?: boolean;
  /** Whether `a.b` is a namespace reference. */
  readonly namespace?: boolean;
}

export interface ExpressionParser {
  expression(conditional: boolean): Expr;
  tuple(options: TupleOptions): Expr;
  target(options: { readonly ends?: readonly string[]; readonly namespace?: boolean }): Target;
  nameTarget(): NameNode;
  asParameter(target: Target): Target;
  filter(object: Expr | undefined, options: { readonly inline: boolean }): Expr | undefined;
}

const constants: ReadonlyMap<string, Value> = new Map<string, Value>([
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
  ['none', null],
  ['None', null],
]);
const compareOperators = new Set(['==', '!=', '<', '<=', '>', '>=']);
const noArguments: Arguments = { args: [], kwargs: [], dynArgs: undefined, dynKwargs: undefined };

/** Jinja2's expression grammar: each level is one function, loosest binding first. */
export function expressionParser(stream: TokenStream): ExpressionParser {
  const line = (): number => stream.current().line;

  function expression(conditional: boolean): Expr {
    return conditional ? condition() : or();
  }

  function condition(): Expr {
    let result = or();
    while (stream.isName('if')) {
      const at = stream.next().line;
      const test = or();
      const otherwise = stream.skipName('else') ? condition() : undefined;
      result = { type: 'cond', test, yes: result, no: otherwise, line: at };
    }
    return result;
  }

  function or(): Expr {
    let left = and();
    while (stream.isName('or')) {
      const at = stream.next().line;
      left = { type: 'logic', operator: 'or', left, right: and(), line: at };
    }
    return left;
  }

  function and(): Expr {
    let left = not();
    while (stream.isName('and')) {
      const at = stream.next().line;
      left = { type: 'logic', operator: 'and', left, right: not(), line: at };
    }
    return left;
  }

  function not(): Expr {
    if (!stream.isName('not')) return compare();
    const at = stream.next().line;
    return { type: 'not', operand: not(), line: at };
  }

  function compare(): Expr {
    const at = line();
    const first = sum();
    const rest: { operator: CompareOperator; operand: Expr }[] = [];
    for (;;) {
      const token = stream.current();
      if (token.type === 'operator' && compareOperators.has(token.text)) {
        stream.next();
        rest.push({ operator: token.text as CompareOperator, operand: sum() });
      } else if (stream.skipName('in')) rest.push({ operator: 'in', operand: sum() });
      else if (stream.isName('not') && stream.ahead().type === 'name' && stream.ahead().text === 'in') {
        stream.next();
        stream.next();
        rest.push({ operator: 'notin', operand: sum() });
      } else break;
    }
    return rest.length === 0 ? first : { type: 'compare', first, rest, line: at };
  }

  function chain(operand: () => Expr, operators: readonly BinaryOperator[]): Expr {
    let left = operand();
    for (;;) {
      const token = stream.current();
      if (token.type !== 'operator' || !operators.includes(token.text as BinaryOperator)) return left;
      stream.next();
      left = { type: 'binary', operator: token.text as BinaryOperator, left, right: operand(), line: token.line };
    }
  }

  function sum(): Expr {
    return chain(concat, ['+', '-']);
  }

  function concat(): Expr {
    const at = line();
    const items = [product()];
    while (stream.skipOperator('~')) items.push(product());
    return items.length === 1 ? (items[0] as Expr) : { type: 'concat', items, line: at };
  }

  function product(): Expr {
    return chain(power, ['*', '/', '//', '%']);
  }

  function power(): Expr {
    return chain(() => unary(true), ['**']);
  }

  function unary(withFilter: boolean): Expr {
    const token = stream.current();
    let node: Expr;
    if (stream.isOperator('-') || stream.isOperator('+')) {
      stream.next();
      node = { type: 'sign', sign: token.text as '+' | '-', operand: unary(false), line: token.line };
    } else node = primary(false);
    node = postfix(node);
    return withFilter ? filters(node) : node;
  }

  function primary(namespace: boolean): Expr {
    const token = stream.next();
    const at = token.line;
    if (token.type === 'name') {
      const constant = constants.get(token.text);
      if (constant !== undefined) return { type: 'const', value: constant, line: at };
      const name = String(token.value);
      if (namespace && stream.skipOperator('.'))
        return { type: 'nsref', name, attribute: String(stream.expect('name').value), line: at };
      return { type: 'name', name, context: 'load', line: at };
    }
    if (token.type === 'string') {
      let text = String(token.value);
      while (stream.current().type === 'string') text += String(stream.next().value);
      return { type: 'const', value: text, line: at };
    }
    if (token.type === 'integer' || token.type === 'float') return { type: 'const', value: token.value, line: at };
    if (token.type === 'operator' && token.text === '(') {
      const node = tuple({ parenthesised: true });
      stream.expectOperator(')');
      return node;
    }
    if (token.type === 'operator' && token.text === '[')
      return { type: 'list', items: listed(']', () => expression(true)), line: at };
    if (token.type === 'operator' && token.text === '{') {
      const pairs = listed('}', (): [Expr, Expr] => {
        const key = expression(true);
        stream.expectOperator(':');
        return [key, expression(true)];
      });
      return { type: 'dict', pairs, line: at };
    }
    throw unexpected(token);
  }

  function unexpected(token: { text: string; type: string }): TemplateError {
    return stream.fail(`unexpected ${token.text === '' ? token.type.replace('_', ' ') : `'${token.text}'`}`);
  }

  function listed<T>(close: string, item: () => T): T[] {
    const items: T[] = [];
    while (!stream.isOperator(close)) {
      if (items.length > 0) stream.expectOperator(',');
      if (stream.isOperator(close)) break;
      items.push(item());
    }
    stream.expectOperator(close);
    return items;
  }

  function tuple(options: TupleOptions): Expr {
    const at = line();
    const items: Expr[] = [];
    let isTuple = false;
    for (;;) {
      if (items.length > 0) stream.expectOperator(',');
      if (tupleEnds(options.ends)) break;
      items.push(options.simple ? primary(options.namespace ?? false) : expression(options.conditional ?? true));
      if (!stream.isOperator(',')) break;
      isTuple = true;
    }
    if (!isTuple) {
      const [only] = items;
      if (only) return only;
      if (!options.parenthesised) throw stream.fail('Expected an expression');
    }
    return { type: 'tuple', items, line: at };
  }

  function tupleEnds(ends: readonly string[] | undefined): boolean {
    const { type, text } = stream.current();
    if (type === 'variable_end' || type === 'block_end' || stream.isOperator(')')) return true;
    return type === 'name' && (ends?.includes(text) ?? false);
  }

  function target(options: { readonly ends?: readonly string[]; readonly namespace?: boolean }): Target {
    return assignable(tuple({ simple: true, ...options }), 'store');
  }

  function assignable(node: Expr, context: 'store' | 'param'): Target {
    if (node.type === 'name') return { ...node, context };
    if (node.type === 'nsref') return node;
    if (node.type === 'tuple') return { ...node, items: node.items.map((item) => assignable(item, context)) };
    throw stream.fail(`can't assign to '${node.type}'`);
  }

  function nameTarget(): NameNode {
    const token = stream.expect('name');
    if (constants.has(token.text)) throw stream.fail(`can't assign to '${token.text}'`);
    return { type: 'name', name: String(token.value), context: 'store', line: token.line };
  }

  function postfix(start: Expr): Expr {
    let node = start;
    for (;;) {
      if (stream.isOperator('.')) node = attribute(node);
      else if (stream.isOperator('[')) node = subscript(node);
      else if (stream.isOperator('(')) node = { type: 'call', callee: node, call: callArguments(), line: line() };
      else return node;
    }
  }

  function filters(start: Expr): Expr {
    let node = start;
    for (;;) {
      if (stream.isOperator('|')) node = filter(node, { inline: false }) as Expr;
      else if (stream.isName('is')) node = test(node);
      else if (stream.isOperator('(')) node = { type: 'call', callee: node, call: callArguments(), line: line() };
      else return node;
    }
  }

  function attribute(object: Expr): Expr {
    const at = stream.next().line;
    const token = stream.next();
    if (token.type === 'name') return { type: 'getattr', object, name: String(token.value), line: at };
    if (token.type !== 'integer') throw stream.fail('expected name or number');
    return { type: 'getitem', object, index: { type: 'const', value: token.value, line: at }, line: at };
  }

  function subscript(object: Expr): Expr {
    const at = stream.next().line;
    const args: Expr[] = [];
    while (!stream.isOperator(']')) {
      if (args.length > 0) stream.expectOperator(',');
      args.push(subscripted());
    }
    stream.expectOperator(']');
    const [only] = args;
    if (args.length === 1 && only) return { type: 'getitem', object, index: only, line: at };
    if (args.some((arg) => arg.type === 'slice')) throw stream.fail('a slice among other subscripts');
    return { type: 'getitem', object, index: { type: 'tuple', items: args, line: at }, line: at };
  }

  function subscripted(): Expr {
    const at = line();
    const ends = (): boolean => stream.isOperator(':') || stream.isOperator(']') || stream.isOperator(',');
    const part = (): Expr | undefined => (ends() ? undefined : expression(true));
    const start = stream.isOperator(':') ? undefined : expression(true);
    if (start && !stream.isOperator(':')) return start;
    stream.expectOperator(':');
    const stop = part();
    const step = stream.skipOperator(':') ? part() : undefined;
    return { type: 'slice', start, stop, step, line: at };
  }

  function callArguments(): Arguments {
    stream.expectOperator('(');
    const args: Expr[] = [];
    const kwargs: { name: string; value: Expr }[] = [];
    let dynArgs: Expr | undefined;
    let dynKwargs: Expr | undefined;
    const ensure = (holds: boolean): void => {
      if (!holds) throw stream.fail('invalid syntax for function call expression');
    };
    for (let first = true; !stream.isOperator(')'); first = false) {
      if (!first) {
        stream.expectOperator(',');
        if (stream.isOperator(')')) break;
      }
      if (stream.isOperator('*')) {
        ensure(dynArgs === undefined && dynKwargs === undefined);
        stream.next();
        dynArgs = expression(true);
      } else if (stream.isOperator('**')) {
        ensure(dynKwargs === undefined);
        stream.next();
        dynKwargs = expression(true);
      } else if (
        stream.current().type === 'name' &&
        stream.ahead().type === 'operator' &&
        stream.ahead().text === '='
      ) {
        ensure(dynKwargs === undefined);
        const name = String(stream.next().value);
        stream.next();
        // Python rejects a repeated keyword when it compiles the call.
        ensure(!kwargs.some((given) => given.name === name));
        kwargs.push({ name, value: expression(true) });
      } else {
        ensure(dynArgs === undefined && dynKwargs === undefined && kwargs.length === 0);
        args.push(expression(true));
      }
    }
    stream.expectOperator(')');
    return { args, kwargs, dynArgs, dynKwargs };
  }

  function dottedName(): string {
    let name = String(stream.expect('name').value);
    while (stream.skipOperator('.')) name += `.${String(stream.expect('name').value)}`;
    return name;
  }

  function filter(object: Expr | undefined, { inline }: { readonly inline: boolean }): Expr | undefined {
    let node = object;
    for (let start = inline; start || stream.isOperator('|'); start = false) {
      if (!start) stream.next();
      const at = line();
      const name = dottedName();
      node = {
        type: 'filter',
        object: node,
        name,
        call: stream.isOperator('(') ? callArguments() : noArguments,
        line: at,
      };
    }
    return node;
  }

  function test(object: Expr): Expr {
    const at = stream.next().line;
    const negated = stream.skipName('not');
    const name = dottedName();
    let call = noArguments;
    if (stream.isOperator('(')) call = callArguments();
    else if (startsOperand()) {
      if (stream.isName('is')) throw stream.fail('You cannot chain multiple tests with is');
      call = { ...noArguments, args: [postfix(primary(false))] };
    }
    const node: Expr = { type: 'test', object, name, call, line: at };
    return negated ? { type: 'not', operand: node, line: at } : node;
  }

  function startsOperand(): boolean {
    const { type, text } = stream.current();
    if (type === 'name') return text !== 'else' && text !== 'or' && text !== 'and';
    return (
      type === 'string' || type === 'integer' || type === 'float' || stream.isOperator('[') || stream.isOperator('{')
    );
  }

  function asParameter(node: Target): Target {
    return assignable(node, 'param');
  }

  return { expression, tuple, target, nameTarget, asParameter, filter };
}
