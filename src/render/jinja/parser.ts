import type { CallNode, Expr, FilterNode, IfNode, NameNode, Signature, Stmt, Target } from './ast.ts';
import { TemplateError } from './error.ts';
import { expressionParser } from './parse-expression.ts';
import { type TokenStream, tokenStream } from './token-stream.ts';

/**
 * Template text to syntax tree, with jinja2's grammar and its tags `break`, `continue` and `generation`.
 * @throws TemplateError `syntax`
 */
export function parseTemplate(source: string): readonly Stmt[] {
  const stream = tokenStream(source);
  const expressions = expressionParser(stream);
  const blockNames = new Set<string>();
  const open: { readonly tag: string; readonly line: number }[] = [];
  return statements(undefined);

  /** Statements up to one of the end tags, whose name stays in the stream. */
  function statements(ends: readonly string[] | undefined): Stmt[] {
    const body: Stmt[] = [];
    let output: (string | Expr)[] = [];
    let outputLine = 0;
    const add = (item: string | Expr, line: number): void => {
      if (output.length === 0) outputLine = line;
      output.push(item);
    };
    const flush = (): void => {
      if (output.length > 0) body.push({ type: 'output', items: output, line: outputLine });
      output = [];
    };
    for (;;) {
      const token = stream.current();
      if (token.type === 'eof') {
        const innermost = open.at(-1);
        if (ends)
          throw new TemplateError(
            'syntax',
            `the template ends inside '${innermost?.tag}' of line ${innermost?.line}; ${ends.join(' or ')} is missing`,
            token.line,
          );
        flush();
        return body;
      }
      stream.next();
      if (token.type === 'data') add(token.text, token.line);
      else if (token.type === 'variable_begin') {
        add(expressions.tuple({}), token.line);
        stream.expect('variable_end');
      } else {
        flush();
        if (ends && stream.current().type === 'name' && ends.includes(stream.current().text)) return body;
        body.push(statement());
        stream.expect('block_end');
      }
    }
  }

  /** The body of a tag: the rest of the tag, statements, and the name of the end tag. */
  function bodyUntil(ends: readonly string[], { drop }: { drop: boolean }): Stmt[] {
    stream.skipOperator(':');
    stream.expect('block_end');
    const body = statements(ends);
    if (drop) stream.next();
    return body;
  }

  function statement(): Stmt {
    const token = stream.current();
    if (token.type !== 'name') throw stream.fail('tag name expected');
    open.push({ tag: token.text, line: token.line });
    const node = tagged(token.text, token.line);
    open.pop();
    return node;
  }

  function tagged(tag: string, line: number): Stmt {
    stream.next();
    switch (tag) {
      case 'for':
        return forTag(line);
      case 'if':
        return ifTag(line);
      case 'set':
        return setTag(line);
      case 'macro': {
        const name = expressions.nameTarget().name;
        const signature = signatureOf();
        return { type: 'macro', name, ...signature, body: bodyUntil(['endmacro'], { drop: true }), line };
      }
      case 'call': {
        const signature = stream.isOperator('(') ? signatureOf() : { args: [], defaults: [] };
        const call = expressions.expression(true);
        if (call.type !== 'call') throw new TemplateError('syntax', 'expected call', line);
        return {
          type: 'callblock',
          call: call as CallNode,
          ...signature,
          body: bodyUntil(['endcall'], { drop: true }),
          line,
        };
      }
      case 'generation': {
        const body = bodyUntil(['endgeneration'], { drop: true });
        return { type: 'callblock', call: undefined, args: [], defaults: [], body, line };
      }
      case 'filter': {
        const filter = expressions.filter(undefined, { inline: true }) as FilterNode;
        return { type: 'filterblock', filter, body: bodyUntil(['endfilter'], { drop: true }), line };
      }
      case 'with':
        return withTag(line);
      case 'print':
        return printTag(line);
      case 'block':
        return blockTag(line);
      case 'break':
      case 'continue':
        return { type: tag, line };
      case 'include':
      case 'import':
      case 'from':
      case 'extends':
        return elsewhere(tag, line);
      case 'autoescape':
        throw new TemplateError('unsupported', 'autoescape has no place in a chat template', line);
      default:
        throw new TemplateError('syntax', `unknown tag '${tag}'`, line);
    }
  }

  function forTag(line: number): Stmt {
    const target = expressions.target({ ends: ['in'] });
    stream.expectName('in');
    const iter = expressions.tuple({ conditional: false, ends: ['recursive'] });
    const test = stream.skipName('if') ? expressions.expression(true) : undefined;
    const recursive = stream.skipName('recursive');
    const body = bodyUntil(['endfor', 'else'], { drop: false });
    const otherwise = stream.next().text === 'endfor' ? [] : bodyUntil(['endfor'], { drop: true });
    return { type: 'for', target, iter, body, otherwise, test, recursive, line };
  }

  function ifTag(line: number): IfNode {
    const branches: { test: Expr; body: readonly Stmt[]; line: number }[] = [];
    let otherwise: readonly Stmt[] = [];
    for (let at = line; ; ) {
      const test = expressions.tuple({ conditional: false });
      branches.push({ test, body: bodyUntil(['elif', 'else', 'endif'], { drop: false }), line: at });
      const token = stream.next();
      at = stream.current().line;
      if (token.text === 'elif') continue;
      if (token.text === 'else') otherwise = bodyUntil(['endif'], { drop: true });
      break;
    }
    const [first, ...rest] = branches.map(
      (branch): IfNode => ({ type: 'if', ...branch, elifs: [], otherwise: [] }),
    ) as [IfNode, ...IfNode[]];
    return { ...first, elifs: rest, otherwise };
  }

  function setTag(line: number): Stmt {
    const target = expressions.target({ namespace: true });
    if (stream.skipOperator('=')) return { type: 'set', target, value: expressions.tuple({}), line };
    const filter = expressions.filter(undefined, { inline: false }) as FilterNode | undefined;
    return { type: 'setblock', target, filter, body: bodyUntil(['endset'], { drop: true }), line };
  }

  function withTag(line: number): Stmt {
    const targets: Target[] = [];
    const values: Expr[] = [];
    while (stream.current().type !== 'block_end') {
      if (targets.length > 0) stream.expectOperator(',');
      targets.push(expressions.asParameter(expressions.target({})));
      stream.expectOperator('=');
      values.push(expressions.expression(true));
    }
    return { type: 'with', targets, values, body: bodyUntil(['endwith'], { drop: true }), line };
  }

  function printTag(line: number): Stmt {
    const items: Expr[] = [];
    while (stream.current().type !== 'block_end') {
      if (items.length > 0) stream.expectOperator(',');
      items.push(expressions.expression(true));
    }
    return { type: 'output', items, line };
  }

  function blockTag(line: number): Stmt {
    const name = stream.expect('name').text;
    if (blockNames.has(name)) throw new TemplateError('syntax', `block '${name}' defined twice`, line);
    blockNames.add(name);
    const scoped = stream.skipName('scoped');
    const required = stream.skipName('required');
    const body = bodyUntil(['endblock'], { drop: true });
    if (required)
      throw new TemplateError('unsupported', `required block '${name}' needs a template that extends this one`, line);
    stream.skipName(name);
    return { type: 'block', name, body, scoped, line };
  }

  /** Tags that load other templates parse to the end of the tag; what they would define is known to the scopes. */
  function elsewhere(tag: string, line: number): Stmt {
    const stores: string[] = [];
    expressions.expression(true);
    if (tag === 'import') {
      stream.expectName('as');
      stores.push(expressions.nameTarget().name);
    } else if (tag === 'from') {
      stream.expectName('import');
      while (stream.current().type === 'name') {
        const name = stream.next().text;
        stores.push(stream.skipName('as') ? expressions.nameTarget().name : name);
        if (!stream.skipOperator(',')) break;
      }
    } else if (tag === 'include' && stream.skipName('ignore')) stream.expectName('missing');
    if (tag !== 'extends' && (stream.skipName('with') || stream.skipName('without'))) stream.expectName('context');
    return { type: 'elsewhere', tag, stores, line };
  }

  function signatureOf(): Signature {
    const args: NameNode[] = [];
    const defaults: Expr[] = [];
    stream.expectOperator('(');
    while (!stream.isOperator(')')) {
      if (args.length > 0) stream.expectOperator(',');
      const arg = expressions.nameTarget();
      if (stream.skipOperator('=')) defaults.push(expressions.expression(true));
      else if (defaults.length > 0) throw stream.fail('non-default argument follows default argument');
      args.push({ ...arg, context: 'param' });
    }
    stream.expectOperator(')');
    return { args, defaults };
  }
}

export type { TokenStream };
