import { typeError } from './error.ts';
import type { Kwargs, Value } from './value.ts';

/**
 * Lays positional and keyword arguments out in the order of `parameters`, as a Python call does; absent ones stay undefined.
 * @param required how many of the parameters have no default
 */
export function bind(
  call: { readonly name: string; readonly parameters: readonly string[]; readonly required?: number },
  ...[args, kwargs]: [readonly Value[], Kwargs]
): (Value | undefined)[] {
  const { name, parameters, required = 0 } = call;
  if (args.length > parameters.length)
    throw typeError(`${name}() takes at most ${parameters.length} arguments (${args.length} given)`);
  const bound: (Value | undefined)[] = args.slice();
  for (const [key, value] of kwargs) {
    const index = parameters.indexOf(key);
    if (index < 0) throw typeError(`${name}() got an unexpected keyword argument '${key}'`);
    if (index < args.length) throw typeError(`${name}() got multiple values for argument '${key}'`);
    bound[index] = value;
  }
  for (let i = 0; i < required; i++)
    if (bound[i] === undefined) throw typeError(`${name}() missing the argument '${parameters[i]}'`);
  return bound;
}
