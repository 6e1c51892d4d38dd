import { children, type Target } from './ast.ts';
import { compileExpression } from './compile-expression.ts';
import { TemplateError, typeError, valueError } from './error.ts';
import type { Frame } from './frame.ts';
import type { Env } from './runtime.ts';
import { Namespace, toArray, type Value } from './value.ts';

/** Stores a value in a variable, a namespace, or item by item in several. */
export function compileAssign(target: Target, frame: Frame): (env: Env, value: Value) => void {
  if (target.type === 'name') {
    const { name } = target;
    const ref = frame.symbols.find(name);
    if (!ref) throw new TemplateError('syntax', `'${name}' cannot be assigned here`, target.line);
    const { slot } = ref;
    if (frame.top)
      return (env, value) => {
        env.slots[slot] = value;
        env.runtime.vars.set(name, value);
      };
    return (env, value) => {
      env.slots[slot] = value;
    };
  }
  if (target.type === 'nsref') {
    const namespace = compileExpression({ type: 'name', name: target.name, context: 'load', line: target.line }, frame);
    const { attribute } = target;
    return (env, value) => {
      const object = namespace(env);
      if (!(object instanceof Namespace)) throw typeError('cannot assign attribute on non-namespace object');
      object.assign(attribute, value);
    };
  }
  const assigns = target.items.map((item) => compileAssign(item as Target, frame));
  return (env, value) => {
    const values = toArray(value);
    if (values.length !== assigns.length) throw valueError(`${assigns.length} names for ${values.length} values`);
    assigns.forEach((assign, index) => {
      assign(env, values[index] as Value);
    });
  };
}

/** Jinja looks whether `a.b = ...` names a namespace before it evaluates the value. */
export function namespaceCheck(target: Target, frame: Frame): (env: Env) => void {
  const refs = [target, ...children(target)].filter((node) => node.type === 'nsref');
  const namespaces = refs.map((ref) =>
    compileExpression({ type: 'name', name: ref.name, context: 'load', line: ref.line }, frame),
  );
  return (env) => {
    for (const namespace of namespaces)
      if (!(namespace(env) instanceof Namespace)) throw typeError('cannot assign attribute on non-namespace object');
  };
}
