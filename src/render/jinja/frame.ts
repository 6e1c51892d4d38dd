import type { Env, Execute } from './runtime.ts';
import { DONE } from './runtime.ts';
import { type FunctionScope, type Ref, Symbols } from './symbols.ts';
import type { Value } from './value.ts';

/** What the compiler knows where it stands. */
export interface Frame {
  readonly symbols: Symbols;
  readonly scope: FunctionScope;
  /** The top of the template or an `if` there: assignments are seen by blocks. */
  readonly top: boolean;
  /** Inside an `if`: a filter that does not exist fails only when it is reached. */
  readonly soft: boolean;
  /** While a constant is worked out: names and calls have no value then. */
  readonly folding?: boolean;
  /** Inside a loop of this function, so that `break` has a meaning. */
  readonly inLoop: boolean;
}

export function rootFrame(): Frame {
  const scope: FunctionScope = { parent: undefined, slots: new Map() };
  return { symbols: new Symbols(undefined, scope), scope, top: true, soft: false, inLoop: false };
}

/** A frame inside the same function: a loop, a `with`, a set block. */
export function innerFrame(frame: Frame, change: Partial<Frame> = {}): Frame {
  return { ...frame, symbols: new Symbols(frame.symbols, frame.scope), top: false, soft: false, ...change };
}

/** A frame in a function of its own: a macro, a recursive loop, the filter of a loop. */
export function functionFrame(frame: Frame): Frame {
  const scope: FunctionScope = { parent: frame.scope, slots: new Map() };
  return { symbols: new Symbols(frame.symbols, scope), scope, top: false, soft: false, inLoop: false };
}

export function softFrame(frame: Frame): Frame {
  return { ...frame, soft: true };
}

function distance(scope: FunctionScope, ref: Ref): number {
  let steps = 0;
  for (let at: FunctionScope | undefined = scope; at && at !== ref.scope; at = at.parent) steps++;
  return steps;
}

/** Reads a variable from code in `scope`; undefined where it holds nothing. */
export function reader(scope: FunctionScope, ref: Ref): (env: Env) => Value | undefined {
  const { slot } = ref;
  const steps = distance(scope, ref);
  if (steps === 0) return (env) => env.slots[slot];
  if (steps === 1) return (env) => env.parent?.slots[slot];
  return (env) => {
    let at: Env | undefined = env;
    for (let i = 0; i < steps; i++) at = at?.parent;
    return at?.slots[slot];
  };
}

/** What happens when a frame is entered: each of its variables gets its first value. */
export function enter(frame: Frame): Execute {
  const actions: ((env: Env) => void)[] = [];
  for (const { ref, load } of frame.symbols.loads.values()) {
    const { slot } = ref;
    if (load.kind === 'alias') {
      const read = reader(frame.scope, load.of);
      actions.push((env) => {
        env.slots[slot] = read(env);
      });
    } else if (load.kind === 'resolve') {
      const { name } = load;
      actions.push((env) => {
        const assigned = env.runtime.vars.get(name);
        env.slots[slot] = assigned === undefined ? env.runtime.lookup(name) : assigned;
      });
    } else if (load.kind === 'undefined')
      actions.push((env) => {
        env.slots[slot] = undefined;
      });
  }
  return (env) => {
    for (const action of actions) action(env);
    return DONE;
  };
}

/** What happens when a frame is left: its variables are gone, also for macros that saw them. */
export function leave(frame: Frame): (env: Env) => void {
  const slots = Array.from(frame.symbols.loads.values(), ({ ref }) => ref.slot);
  return (env) => {
    for (const slot of slots) env.slots[slot] = undefined;
  };
}
