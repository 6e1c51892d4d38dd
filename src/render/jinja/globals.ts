import { fromKeys, toDict } from './access.ts';
import { bind } from './bind.ts';
import { TemplateError, typeError, valueError } from './error.ts';
import { str } from './repr.ts';
import { strftime } from './strftime.ts';
import { isStr, textOf } from './text.ts';
import { Callable, indexOf, type Kwargs, Namespace, PyObject, Range, Tuple, type Value } from './value.ts';

const maxRange = 100_000;

/** What transformers' environment defines in front of the template's own variables. @param now the clock of `strftime_now` */
export function globalNames(now: () => Date): ReadonlyMap<string, Value> {
  return new Map<string, Value>([
    ['range', new Callable('range', range)],
    ['dict', new DictFactory()],
    ['namespace', new Callable('namespace', namespace)],
    ['cycler', new Callable('cycler', (args) => new Cycler(args))],
    ['joiner', new Callable('joiner', joiner)],
    [
      'raise_exception',
      new Callable('raise_exception', (args, kwargs) => {
        const [message] = bind({ name: 'raise_exception', parameters: ['message'], required: 1 }, args, kwargs);
        throw new TemplateError('raised', textOf(str(message as Value)));
      }),
    ],
    [
      'strftime_now',
      new Callable('strftime_now', (args, kwargs) => {
        const [format] = bind({ name: 'strftime_now', parameters: ['format'], required: 1 }, args, kwargs);
        if (!isStr(format)) throw typeError('strftime_now() needs a str');
        return strftime(now(), textOf(format));
      }),
    ],
    [
      'lipsum',
      new Callable('lipsum', () => {
        throw new TemplateError('unsupported', 'lipsum would render a row differently each time');
      }),
    ],
  ]);
}

function range(args: readonly Value[], kwargs: Kwargs): Value {
  if (kwargs.size > 0) throw typeError('range() takes no keyword arguments');
  if (args.length < 1 || args.length > 3) throw typeError(`range expected 1 to 3 arguments, got ${args.length}`);
  const numbers = args.map((arg) => indexOf(arg, 'range() arguments'));
  if (numbers.some((number) => !Number.isSafeInteger(number)))
    throw new TemplateError('unsupported', 'a range of numbers this large');
  const [first = 0, second, step = 1] = numbers;
  if (step === 0) throw valueError('range() arg 3 must not be zero');
  const result = new Range(second === undefined ? 0 : first, second ?? first, step);
  if (result.length > maxRange)
    throw new TemplateError('limit', `Range too big. The sandbox blocks ranges larger than ${maxRange}.`);
  return result;
}

function namespace(args: readonly Value[], kwargs: Kwargs): Value {
  const result = new Namespace();
  for (const [key, value] of toDict(args, kwargs).items()) {
    if (!isStr(key)) throw new TemplateError('unsupported', 'a namespace holds names, which are strings');
    result.assign(textOf(key), value);
  }
  return result;
}

class DictFactory extends Callable {
  constructor() {
    super('dict', toDict, 'TemplateDict');
  }
  override attribute(name: string): Value | undefined {
    return name === 'fromkeys' ? new Callable(name, fromKeys) : undefined;
  }
}

class Cycler extends PyObject {
  readonly typeName = 'Cycler';
  private readonly items: readonly Value[];
  private position = 0;

  constructor(items: readonly Value[]) {
    super();
    if (items.length === 0) throw valueError('at least one item has to be provided');
    this.items = items;
  }
  override attribute(name: string): Value | undefined {
    const current = this.items[this.position];
    if (name === 'current') return current;
    if (name === 'items') return new Tuple(this.items);
    if (name === 'pos') return this.position;
    if (name === 'reset')
      return new Callable(name, () => {
        this.position = 0;
        return null;
      });
    if (name !== 'next') return undefined;
    return new Callable(name, () => {
      const value = this.items[this.position] as Value;
      this.position = (this.position + 1) % this.items.length;
      return value;
    });
  }
}

function joiner(args: readonly Value[], kwargs: Kwargs): Value {
  const [separator = ', '] = bind({ name: 'joiner', parameters: ['sep'] }, args, kwargs);
  let used = false;
  return new Callable(
    'joiner',
    () => {
      if (used) return separator;
      used = true;
      return '';
    },
    'Joiner',
  );
}
