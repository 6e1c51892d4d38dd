import { call } from './access.ts';
import type { CallBlockNode, FilterNode, ForNode, IfNode, MacroNode, Stmt } from './ast.ts';
import { children } from './ast.ts';
import { charge, deeper } from './budget.ts';
import { compileAssign, namespaceCheck } from './compile-assign.ts';
import {
  compileAll,
  compileArguments,
  compileExpression,
  compileFilterCall,
  compilePrinted,
} from './compile-expression.ts';
import { isTexts, summands, sumOf } from './compile-sum.ts';
import { TemplateError, typeError } from './error.ts';
import { enter, type Frame, functionFrame, innerFrame, leave, reader, rootFrame, softFrame } from './frame.ts';
import { LoopContext } from './loop.ts';
import { macro } from './macro.ts';
import { str } from './repr.ts';
import { BREAK, CONTINUE, DONE, type Env, type Evaluate, type Execute, newEnv, type Signal } from './runtime.ts';
import { analyse, analyseFor, analyseMacro, analyseWith, undeclared } from './symbols.ts';
import { isStr, type Str, TextBuilder } from './text.ts';
import { type Callable, Iter, iterate, truthy, Undefined, type Value } from './value.ts';

/** The whole template as one statement, to be run in an environment of its own. */
export function compileBody(body: readonly Stmt[]): Execute {
  const frame = rootFrame();
  analyse(frame.symbols, body);
  return sequence([enter(frame), block(body, frame)]);
}

function sequence(steps: readonly Execute[]): Execute {
  const [only] = steps;
  if (steps.length === 1 && only) return only;
  return (env) => {
    for (const step of steps) {
      const signal = step(env);
      if (signal !== DONE) return signal;
    }
    return DONE;
  };
}

function block(body: readonly Stmt[], frame: Frame): Execute {
  return sequence(body.map((node) => compileStatement(node, frame)));
}

function compileStatement(node: Stmt, frame: Frame): Execute {
  switch (node.type) {
    case 'output':
      return compileOutput(node, frame);
    case 'if':
      return compileIf(node, frame);
    case 'for':
      return compileFor(node, frame);
    case 'set': {
      const value = compileExpression(node.value, frame);
      const assign = compileAssign(node.target, frame);
      const check = namespaceCheck(node.target, frame);
      return (env) => {
        env.runtime.line = node.line;
        check(env);
        assign(env, value(env));
        return DONE;
      };
    }
    case 'setblock': {
      const inner = innerFrame(frame);
      analyse(inner.symbols, node.body);
      const body = sequence([enter(inner), block(node.body, inner)]);
      const filter = node.filter && filterChain(node.filter, inner);
      const assign = compileAssign(node.target, frame);
      return (env) => {
        const { text, signal } = captured(env, body);
        if (signal === DONE) assign(env, filter ? filter(env, text) : text);
        return signal;
      };
    }
    case 'macro': {
      const make = compileMacro(node, { name: node.name, frame });
      const assign = compileAssign({ type: 'name', name: node.name, context: 'store', line: node.line }, frame);
      return (env) => {
        assign(env, make(env));
        return DONE;
      };
    }
    case 'callblock':
      return compileCallBlock(node, frame);
    case 'filterblock': {
      const inner = innerFrame(frame);
      analyse(inner.symbols, [...node.body, node.filter]);
      const body = sequence([enter(inner), block(node.body, inner)]);
      const filter = filterChain(node.filter, inner);
      return (env) => {
        const { text, signal } = captured(env, body);
        if (signal === DONE) write(env, filter(env, text));
        return signal;
      };
    }
    case 'with': {
      const inner = innerFrame(frame);
      analyseWith(inner.symbols, node);
      const values = node.values.map((value) => compileExpression(value, frame));
      const assigns = node.targets.map((target) => compileAssign(target, inner));
      const start = enter(inner);
      const body = block(node.body, inner);
      const end = leave(inner);
      return (env) => {
        start(env);
        for (const [index, value] of values.entries()) assigns[index]?.(env, value(env));
        const signal = body(env);
        end(env);
        return signal;
      };
    }
    case 'block':
      return compileBlock(node, frame);
    case 'break':
    case 'continue':
      if (!frame.inLoop) throw new TemplateError('syntax', `'${node.type}' outside of a loop`, node.line);
      return node.type === 'break' ? () => BREAK : () => CONTINUE;
    case 'elsewhere':
      return () => {
        throw new TemplateError(
          'unsupported',
          `{% ${node.tag} %} needs another template, and there is none`,
          node.line,
        );
      };
  }
}

/** A chain `a | b | c` that starts from captured text. */
function filterChain(node: FilterNode, frame: Frame): (env: Env, value: Value) => Value {
  const apply = compileFilterCall(node, frame);
  if (node.object?.type !== 'filter') return apply;
  const before = filterChain(node.object, frame);
  return (env, value) => apply(env, before(env, value));
}

function compileOutput(node: Extract<Stmt, { type: 'output' }>, frame: Frame): Execute {
  const items = node.items.map((item) =>
    typeof item === 'string'
      ? item
      : {
          line: item.line,
          // An if without an else is written to print nothing.
          mayPrintNothing: item.type === 'cond' && !item.no,
          evaluate: compilePrinted(item, frame) ?? sumOf(compileAll(summands(item), frame)),
        },
  );
  return (env) => {
    const { runtime } = env;
    for (const item of items) {
      if (typeof item === 'string') {
        runtime.out.push(item);
        continue;
      }
      runtime.line = item.line;
      // The value first: evaluating it may capture, and so change where output goes.
      const value = item.evaluate(env);
      if (isTexts(value)) for (const text of value.texts) runtime.out.push(text);
      else {
        if (value instanceof Undefined && !item.mayPrintNothing)
          runtime.printedNothing ??= { line: item.line, message: value.message };
        runtime.out.push(str(value));
      }
    }
    return DONE;
  };
}

/** Writes what must already be a string; Python joins the pieces and fails on anything else. */
function write(env: Env, value: Value): void {
  if (!isStr(value)) throw value instanceof Undefined ? value.error() : typeError('a block must give a string');
  env.runtime.out.push(str(value));
}

/** What a body writes, kept apart; a break or continue inside ends the capture too. */
function captured(env: Env, body: Execute): { readonly text: Str; readonly signal: Signal } {
  const { runtime } = env;
  const outer = runtime.out;
  const builder = new TextBuilder();
  runtime.out = builder;
  const signal = body(env);
  runtime.out = outer;
  return { text: builder.finish(), signal };
}

function compileIf(node: IfNode, frame: Frame): Execute {
  const soft = softFrame(frame);
  const branches = [node, ...node.elifs].map((branch) => ({
    line: branch.line,
    test: compileExpression(branch.test, soft),
    body: block(branch.body, soft),
  }));
  const otherwise = block(node.otherwise, soft);
  return (env) => {
    for (const { line, test, body } of branches) {
      env.runtime.line = line;
      if (truthy(test(env))) return body(env);
    }
    return otherwise(env);
  };
}

function compileFor(node: ForNode, frame: Frame): Execute {
  const outer = node.recursive ? functionFrame(frame) : frame;
  const loopFrame = node.recursive ? { ...outer, inLoop: true } : innerFrame(frame, { inLoop: true });
  const usesLoop = node.recursive || undeclared(node.body, ['loop']).has('loop') || hasScopedBlock(node.body);
  const loopRef = usesLoop ? loopFrame.symbols.parameter('loop') : undefined;
  analyseFor(loopFrame.symbols, node, 'body');
  refuseLoopTarget(node);
  const elseFrame = innerFrame(node.recursive ? { ...frame, scope: outer.scope } : frame, {
    inLoop: frame.inLoop && !node.recursive,
  });
  analyseFor(elseFrame.symbols, node, 'else');

  const filter = node.test && compileLoopFilter(node, frame);
  const assign = compileAssign(node.target, loopFrame);
  const start = enter(loopFrame);
  const body = block(node.body, loopFrame);
  const end = leave(loopFrame);
  const otherwise =
    node.otherwise.length > 0 ? sequence([enter(elseFrame), block(node.otherwise, elseFrame)]) : undefined;
  const endOtherwise = leave(elseFrame);
  const slot = loopRef?.slot;
  const items = compileExpression(node.iter, frame);

  const run = (env: Env, ...[source, options]: [Value, ConstructorParameters<typeof LoopContext>[1]]): Signal => {
    // The filter belongs to the function around a recursive loop, not to the loop's own.
    const filtered = filter ? filter(node.recursive ? (env.parent ?? env) : env, source) : source;
    // As in the Python that jinja2 writes: an iteration cut short by continue or break does not count for else.
    let completed = false;
    const turn = (item: Value): boolean => {
      assign(env, item);
      start(env);
      const signal = body(env);
      if (signal === DONE) completed = true;
      return signal !== BREAK;
    };
    if (slot === undefined) {
      const iterator = iterate(filtered);
      for (let next = iterator.next(); !next.done; next = iterator.next()) {
        charge(1);
        if (!turn(next.value)) break;
      }
    } else {
      const loop = new LoopContext(filtered, options);
      for (let item = loop.advance(); item !== undefined; item = loop.advance()) {
        env.slots[slot] = loop;
        if (!turn(item)) break;
      }
    }
    end(env);
    if (completed || !otherwise) return DONE;
    const signal = otherwise(env);
    endOtherwise(env);
    return signal;
  };

  if (!node.recursive)
    return (env) => {
      env.runtime.line = node.line;
      return run(env, items(env), {});
    };
  return (env) => {
    const render = (source: Value, depth: number): Str =>
      deeper(() => captured(newEnv(env.runtime, env), (inner) => run(inner, source, { depth, render })).text);
    write(env, render(items(env), 0));
    return DONE;
  };
}

function hasScopedBlock(nodes: readonly Stmt[]): boolean {
  const scoped = (node: Parameters<typeof children>[0]): boolean =>
    (node.type === 'block' && node.scoped) || children(node).some(scoped);
  return nodes.some(scoped);
}

function refuseLoopTarget(node: ForNode): void {
  const check = (below: Parameters<typeof children>[0]): void => {
    if (below.type === 'name' && below.context === 'store' && below.name === 'loop')
      throw new TemplateError('syntax', "Can't assign to special loop variable in for-loop target", below.line);
    for (const child of children(below)) check(child);
  };
  check(node);
}

/** `for x in y if test`: a generator of its own, with its own `x`, so that looking ahead does not change the loop's. */
function compileLoopFilter(node: ForNode, frame: Frame): (env: Env, source: Value) => Value {
  const inner = functionFrame(frame);
  analyseFor(inner.symbols, node, 'test');
  const start = enter(inner);
  const assign = compileAssign(node.target, inner);
  const test: Evaluate = node.test ? compileExpression(node.test, inner) : () => true;
  return (env, source) => {
    const own = newEnv(env.runtime, env);
    const iterator = iterate(source);
    function* kept(): Generator<Value> {
      start(own);
      for (let next = iterator.next(); !next.done; next = iterator.next()) {
        charge(1);
        assign(own, next.value);
        if (truthy(test(own))) yield next.value;
      }
    }
    return new Iter(kept());
  };
}

function compileMacro(
  node: MacroNode | CallBlockNode,
  { name, frame }: { name: string | undefined; frame: Frame },
): (env: Env) => Callable {
  const inner = functionFrame(frame);
  analyseMacro(inner.symbols, node);
  const names = node.args.map((arg) => arg.name);
  const wanted = undeclared(node.body, ['caller', 'kwargs', 'varargs']);
  const explicitCaller = names.indexOf('caller');
  if (wanted.has('caller') && explicitCaller >= 0 && explicitCaller < names.length - node.defaults.length)
    throw new TemplateError('syntax', 'the special "caller" argument must be omitted or be given a default', node.line);
  const special = (['caller', 'kwargs', 'varargs'] as const).filter((key) => wanted.has(key) && !names.includes(key));
  for (const key of special) inner.symbols.parameter(key);
  analyseMacro(inner.symbols, node);
  for (const key of special) inner.symbols.parameter(key);

  const slotOf = (key: string): number => inner.symbols.find(key)?.slot ?? -1;
  const parameters = names.map((key, index) => {
    const fallback = node.defaults[index - names.length + node.defaults.length];
    return { key, slot: slotOf(key), fallback: fallback && compileExpression(fallback, inner) };
  });
  const specialSlots = special.map(slotOf);
  const start = enter(inner);
  const body = block(node.body, inner);
  return (env) =>
    macro({
      name: name ?? null,
      parameters: names,
      usesCaller: special.includes('caller'),
      usesKwargs: special.includes('kwargs'),
      usesVarargs: special.includes('varargs'),
      render: (values) =>
        deeper(() => {
          const own = newEnv(env.runtime, env);
          parameters.forEach(({ slot }, index) => {
            own.slots[slot] = values[index];
          });
          specialSlots.forEach((slot, index) => {
            own.slots[slot] = values[names.length + index];
          });
          start(own);
          for (const { key, slot, fallback } of parameters)
            if (own.slots[slot] === undefined)
              own.slots[slot] = fallback ? fallback(own) : new Undefined(`parameter '${key}' was not provided`);
          return captured(own, body).text;
        }),
    });
}

function compileCallBlock(node: CallBlockNode, frame: Frame): Execute {
  const make = compileMacro(node, { name: undefined, frame });
  if (!node.call) {
    return (env) => {
      const { runtime } = env;
      const from = runtime.out.length;
      write(env, make(env).call([], new Map()));
      if (runtime.out === runtime.page) runtime.generations.push(from, runtime.out.length);
      return DONE;
    };
  }
  const callee = compileExpression(node.call.callee, frame);
  const { args, kwargs } = compileArguments(node.call.call, frame);
  return (env) => {
    env.runtime.line = node.line;
    const caller = make(env);
    const target = callee(env);
    const positional = args(env);
    const named = new Map(kwargs(env));
    if (named.has('caller')) throw typeError("got multiple values for keyword argument 'caller'");
    write(env, call(target, positional, named.set('caller', caller)));
    return DONE;
  };
}

function compileBlock(node: Extract<Stmt, { type: 'block' }>, frame: Frame): Execute {
  // A block sees what the top of the template assigned, not the loop it stands in, unless it says `scoped`.
  const own = { ...rootFrame(), top: false };
  analyse(own.symbols, node.body);
  const body = sequence([enter(own), block(node.body, own)]);
  const visible = node.scoped
    ? Array.from(frame.symbols.stored(), ([name, ref]) => ({ name, read: reader(frame.scope, ref) }))
    : [];
  return (env) => {
    const { runtime } = env;
    const { vars } = runtime;
    runtime.vars = new Map(vars);
    for (const { name, read } of visible) {
      const value = read(env);
      if (value !== undefined) runtime.vars.set(name, value);
    }
    body(newEnv(runtime, undefined));
    runtime.vars = vars;
    return DONE;
  };
}
