import { TemplateError } from './error.ts';

/** How much one rendering may cost before it is stopped. */
export interface Limits {
  /** Loop turns, calls, items produced by filters, and each 128 characters of text made or looked through. */
  readonly steps: number;
  /** UTF-16 units of any one string, the output included. */
  readonly characters: number;
  /** Macro calls inside one another. Python's own limit of 1000 frames is met at about this depth. */
  readonly depth: number;
}

export const defaultLimits: Limits = { steps: 10_000_000, characters: 1 << 27, depth: 180 };

// Rendering is synchronous and never nested, so one counter serves; threading it through every filter would only add noise.
let limits = defaultLimits;
let steps = 0;
let depth = 0;

/** Runs one rendering with fresh counters. */
export function withBudget<T>(allowed: Limits, render: () => T): T {
  limits = allowed;
  steps = 0;
  depth = 0;
  return render();
}

export function charge(count: number): void {
  steps += count;
  if (steps > limits.steps) throw new TemplateError('limit', `the template did more than ${limits.steps} steps`);
}

/** Work that grows with a text, made or looked through: a step for every 128 characters, so that time and memory are bounded too. */
export function chargeScan(characters: number): void {
  if (characters >= 128) charge(characters >> 7);
}

export function chargeText(characters: number): void {
  if (characters > limits.characters)
    throw new TemplateError('limit', `the template made a text of more than ${limits.characters} characters`);
}

export function deeper<T>(call: () => T): T {
  if (++depth > limits.depth)
    throw new TemplateError('limit', `the template calls itself more than ${limits.depth} levels deep`);
  const result = call();
  depth--;
  return result;
}
