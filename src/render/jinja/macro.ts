import { typeError } from './error.ts';
import type { Str } from './text.ts';
import { Callable, Dict, Tuple, Undefined, type Value } from './value.ts';

interface MacroDefinition {
  /** Nothing for the body of a call block. */
  readonly name: string | null;
  readonly parameters: readonly string[];
  /** Whether the body mentions `caller`, `kwargs`, `varargs`: only then are such arguments taken. */
  readonly usesCaller: boolean;
  readonly usesKwargs: boolean;
  readonly usesVarargs: boolean;
  /** @param values of the parameters, undefined where absent, then caller, kwargs and varargs as far as they are used */
  render(values: readonly (Value | undefined)[]): Str;
}

/** A macro as a template sees it: called like a function, giving its text. */
export function macro(definition: MacroDefinition): Callable {
  const { name, parameters, usesCaller, usesKwargs, usesVarargs, render } = definition;
  const shown = name === null ? 'the call block' : `macro '${name}'`;
  const attributes = new Map<string, Value>([
    ['name', name],
    ['arguments', new Tuple(parameters)],
    ['catch_kwargs', usesKwargs],
    ['catch_varargs', usesVarargs],
    ['caller', usesCaller],
  ]);
  const invoke: Callable['call'] = (args, kwargs) => {
    const values: (Value | undefined)[] = args.slice(0, parameters.length);
    const rest = new Map(kwargs);
    let callerFound = values.length === parameters.length && parameters.includes('caller');
    for (const parameter of parameters.slice(values.length)) {
      values.push(rest.get(parameter));
      rest.delete(parameter);
      if (parameter === 'caller') callerFound = true;
    }
    if (usesCaller && !callerFound) {
      values.push(rest.get('caller') ?? new Undefined('No caller defined'));
      rest.delete('caller');
    }
    if (usesKwargs) values.push(Dict.of(rest));
    else if (rest.size > 0) throw typeError(`${shown} takes no keyword argument '${[...rest.keys()][0]}'`);
    if (usesVarargs) values.push(new Tuple(args.slice(parameters.length)));
    else if (args.length > parameters.length)
      throw typeError(`${shown} takes not more than ${parameters.length} argument(s)`);
    return render(values);
  };
  return new MacroValue(name ?? 'anonymous', invoke, attributes);
}

class MacroValue extends Callable {
  private readonly attributes: ReadonlyMap<string, Value>;
  constructor(name: string, ...[invoke, attributes]: [Callable['call'], ReadonlyMap<string, Value>]) {
    super(name, invoke, 'Macro');
    this.attributes = attributes;
  }
  override attribute(name: string): Value | undefined {
    return this.attributes.get(name);
  }
}
