import { charge } from './budget.ts';
import { equal } from './compare.ts';
import { typeError } from './error.ts';
import type { Str } from './text.ts';
import { Callable, iterate, Sized, sizeOf, Tuple, Undefined, type Value } from './value.ts';

/** The `loop` variable: knows where a loop stands, and looks one item ahead when asked. */
export class LoopContext extends Sized {
  readonly typeName = 'LoopContext';
  private index0 = -1;
  private readonly depth0: number;
  private readonly source: Value;
  private iterator: Iterator<Value>;
  private size: number | undefined;
  private after: Value | undefined;
  private current: Value | undefined;
  private before: Value | undefined;
  private last: Value | undefined;
  private readonly render: ((items: Value, depth: number) => Str) | undefined;

  /** @param render how a loop marked `recursive` renders its body for other items */
  constructor(source: Value, options: { depth?: number; render?: (items: Value, depth: number) => Str } = {}) {
    super();
    this.source = source;
    this.iterator = iterate(source);
    this.depth0 = options.depth ?? 0;
    this.render = options.render;
  }

  /** The next item, or nothing at the end. */
  advance(): Value | undefined {
    charge(1);
    const next = this.peek();
    if (next === undefined) return undefined;
    this.after = undefined;
    this.index0++;
    this.before = this.current;
    this.current = next;
    return next;
  }

  recurse(items: Value): Str {
    if (!this.render) throw typeError("The loop must have the 'recursive' marker to be called recursively.");
    return this.render(items, this.depth0 + 1);
  }

  override length(): number {
    if (this.size === undefined) {
      this.size = sizeOf(this.source);
      if (this.size === undefined) {
        const rest: Value[] = [];
        for (let next = this.iterator.next(); !next.done; next = this.iterator.next()) rest.push(next.value);
        this.iterator = rest[Symbol.iterator]();
        this.size = rest.length + this.index0 + 1 + (this.after === undefined ? 0 : 1);
      }
    }
    return this.size;
  }

  override *iterate(): Iterator<Value> {
    for (let next = this.advance(); next !== undefined; next = this.advance()) yield new Tuple([next, this]);
  }

  override attribute(name: string): Value | undefined {
    switch (name) {
      case 'index':
        return this.index0 + 1;
      case 'index0':
        return this.index0;
      case 'first':
        return this.index0 === 0;
      case 'last':
        return this.peek() === undefined;
      case 'length':
        return this.length();
      case 'revindex':
        return this.length() - this.index0;
      case 'revindex0':
        return this.length() - this.index0 - 1;
      case 'depth':
        return this.depth0 + 1;
      case 'depth0':
        return this.depth0;
      case 'previtem':
        return this.index0 === 0 ? new Undefined('there is no previous item') : this.before;
      case 'nextitem':
        return this.nextItem();
      case 'cycle':
        return new Callable('cycle', (args) => {
          if (args.length === 0) throw typeError('no items for cycling given');
          return args[this.index0 % args.length] as Value;
        });
      case 'changed':
        return new Callable('changed', (args) => {
          const value = new Tuple(args);
          if (this.last !== undefined && equal(this.last, value)) return false;
          this.last = value;
          return true;
        });
      default:
        return undefined;
    }
  }

  private nextItem(): Value {
    const next = this.peek();
    return next === undefined ? new Undefined('there is no next item') : next;
  }

  private peek(): Value | undefined {
    if (this.after === undefined) {
      const next = this.iterator.next();
      if (!next.done) this.after = next.value;
    }
    return this.after;
  }
}
