import { MartletError } from '../core/error.ts';
import { nearestName } from '../core/nearest.ts';
import type { Method } from './method.ts';
import { sft } from './sft.ts';

export const methods: readonly Method[] = [sft];

/** @throws MartletError `unknown-method`, naming the nearest there is. */
export function methodNamed(name: string): Method {
  const method = methods.find((candidate) => candidate.name === name);
  if (method) return method;
  const names = methods.map((candidate) => candidate.name);
  const near = nearestName(name, names);
  throw new MartletError('unknown-method', `There is no method "${name}".`, {
    hint: near === undefined ? `The methods are ${names.join(', ')}.` : `Did you mean ${near}?`,
  });
}
