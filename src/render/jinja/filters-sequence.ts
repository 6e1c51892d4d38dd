import { getAttribute, getItem } from './access.ts';
import { bind } from './bind.ts';
import { charge } from './budget.ts';
import { equal, order, sorted } from './compare.ts';
import { typeError, valueError } from './error.ts';
import type { Filter, Test } from './filter.ts';
import { binary } from './operators.ts';
import { str } from './repr.ts';
import { isMarkup, isStr, joined, rewritten, textOf } from './text.ts';
import {
  Callable,
  Dict,
  Iter,
  indexOf,
  itemsOf,
  iterate,
  keyOf,
  Tuple,
  toArray,
  truthy,
  typeName,
  Undefined,
  type Value,
} from './value.ts';

type Getter = (item: Value) => Value;

function lowered(value: Value): Value {
  return isStr(value) ? rewritten(value, (text) => text.toLowerCase()) : value;
}

/** `"a.b.0"` as a path into an item; missing steps become `otherwise` when one is given. */
function getter(attribute: Value | undefined, options: { fold?: boolean; otherwise?: Value | undefined } = {}): Getter {
  const parts: Value[] =
    attribute === undefined || attribute === null
      ? []
      : isStr(attribute)
        ? textOf(attribute)
            .split('.')
            .map((part) => (/^\d+$/.test(part) ? Number(part) : part))
        : [attribute];
  const { fold = false, otherwise } = options;
  return (item) => {
    let value = item;
    for (const part of parts) {
      value = getItem(value, part);
      if (otherwise !== undefined && otherwise !== null && value instanceof Undefined) value = otherwise;
    }
    return fold ? lowered(value) : value;
  };
}

function* mapped(value: Value, change: Getter): Generator<Value> {
  const iterator = iterate(value);
  for (let next = iterator.next(); !next.done; next = iterator.next()) {
    charge(1);
    yield change(next.value);
  }
}

function* selected(value: Value, keep: (item: Value) => boolean): Generator<Value> {
  if (!truthy(value)) return;
  const iterator = iterate(value);
  for (let next = iterator.next(); !next.done; next = iterator.next()) {
    charge(1);
    if (keep(next.value)) yield next.value;
  }
}

/** How filters that take a filter or a test by name find it. */
interface Finders {
  readonly filter: (name: string) => Filter | undefined;
  readonly test: (name: string) => Test | undefined;
}

interface Selection {
  /** Whether what passes the test is kept, or what fails it. */
  readonly wanted: boolean;
  readonly byAttribute: boolean;
  readonly find: Finders['test'];
}

function selecting({ wanted, byAttribute, find }: Selection): Filter {
  return (value, args, kwargs) => {
    function* select(): Generator<Value> {
      // Python looks at the arguments only once the generator is used, and not at all when there is nothing to select from.
      if (!truthy(value)) return;
      const [attribute] = args;
      if (byAttribute && attribute === undefined) throw typeError('Missing parameter for attribute name');
      const get = byAttribute ? getter(attribute) : (item: Value): Value => item;
      const [name, ...rest] = byAttribute ? args.slice(1) : args;
      const test = name === undefined || !isStr(name) ? undefined : find(textOf(name));
      if (name !== undefined && !test)
        throw valueError(`No test named '${isStr(name) ? textOf(name) : typeName(name)}'.`);
      yield* selected(value, (item) => truthy(test ? test(get(item), rest, kwargs) : get(item)) === wanted);
    }
    return new Iter(select());
  };
}

function extreme(sign: 1 | -1): Filter {
  return (value, args, kwargs) => {
    const parameters = ['case_sensitive', 'attribute'];
    const [sensitive = false, attribute] = bind({ name: sign < 0 ? 'min' : 'max', parameters }, args, kwargs);
    const items = toArray(value);
    const [first] = items;
    if (first === undefined) return new Undefined('No aggregated item, sequence was empty.');
    const get = getter(attribute, { fold: !truthy(sensitive) });
    let best = first;
    let bestKey = get(first);
    for (const item of items.slice(1)) {
      const key = get(item);
      if (sign < 0 ? order(key, bestKey, '<') < 0 : order(key, bestKey, '>') > 0) {
        best = item;
        bestKey = key;
      }
    }
    return best;
  };
}

const sort: Filter = (value, args, kwargs) => {
  const parameters = ['reverse', 'case_sensitive', 'attribute'];
  const [reverse = false, sensitive = false, attribute] = bind({ name: 'sort', parameters }, args, kwargs);
  const fold = !truthy(sensitive);
  const getters = (attribute !== undefined && isStr(attribute) ? textOf(attribute).split(',') : [attribute]).map(
    (part) => getter(part, { fold }),
  );
  return sorted(toArray(value), (item) => getters.map((get) => get(item)), truthy(reverse));
};

const dictSort: Filter = (value, args, kwargs) => {
  const parameters = ['case_sensitive', 'by', 'reverse'];
  const [sensitive = false, by = 'key', reverse = false] = bind({ name: 'dictsort', parameters }, args, kwargs);
  const index = isStr(by) ? ['key', 'value'].indexOf(textOf(by)) : -1;
  if (index < 0) throw valueError('You can only sort by either "key" or "value"');
  if (value instanceof Undefined) throw value.error();
  if (!(value instanceof Dict)) throw typeError(`'${typeName(value)}' object has no items`);
  const key = (pair: [Value, Value]): Value =>
    truthy(sensitive) ? (pair[index] as Value) : lowered(pair[index] as Value);
  return sorted(value.items(), key, truthy(reverse)).map((pair) => new Tuple(pair));
};

const groupBy: Filter = (value, args, kwargs) => {
  const parameters = ['attribute', 'default', 'case_sensitive'];
  const [attribute, otherwise, sensitive = false] = bind({ name: 'groupby', parameters, required: 1 }, args, kwargs);
  const get = getter(attribute, { fold: !truthy(sensitive), otherwise });
  const plain = getter(attribute, { otherwise });
  const groups: { key: Value; items: Value[] }[] = [];
  for (const item of sorted(toArray(value), get)) {
    const key = get(item);
    const last = groups.at(-1);
    if (last && equal(last.key, key)) last.items.push(item);
    else groups.push({ key, items: [item] });
  }
  return groups.map(({ items }) => new Tuple([plain(items[0] as Value), items], ['grouper', 'list']));
};

const unique: Filter = (value, args, kwargs) => {
  const [sensitive = false, attribute] = bind(
    { name: 'unique', parameters: ['case_sensitive', 'attribute'] },
    args,
    kwargs,
  );
  const get = getter(attribute, { fold: !truthy(sensitive) });
  const seen = new Set<unknown>();
  function* once(): Generator<Value> {
    for (const item of mapped(value, (each) => each)) {
      const key = keyOf(get(item));
      if (seen.has(key)) continue;
      seen.add(key);
      yield item;
    }
  }
  return new Iter(once());
};

const batch: Filter = (value, args, kwargs) => {
  const [count, fill = null] = bind(
    { name: 'batch', parameters: ['linecount', 'fill_with'], required: 1 },
    args,
    kwargs,
  );
  function* batches(): Generator<Value> {
    let group: Value[] = [];
    for (const item of mapped(value, (each) => each)) {
      if (equal(group.length, count as Value)) {
        yield group;
        group = [];
      }
      group.push(item);
    }
    if (group.length === 0) return;
    const missing = fill === null ? 0 : indexOf(count as Value, 'linecount') - group.length;
    charge(Math.max(0, missing));
    for (let i = 0; i < missing; i++) group.push(fill);
    yield group;
  }
  return new Iter(batches());
};

const slices: Filter = (value, args, kwargs) => {
  const [count, fill = null] = bind({ name: 'slice', parameters: ['slices', 'fill_with'], required: 1 }, args, kwargs);
  function* parts(): Generator<Value> {
    const items = toArray(value);
    const number = indexOf(count as Value, 'slices');
    if (number === 0) throw valueError('integer division or modulo by zero');
    const each = Math.floor(items.length / number);
    const extra = ((items.length % number) + number) % number;
    let offset = 0;
    for (let i = 0; i < number; i++) {
      charge(1);
      const start = offset + i * each;
      if (i < extra) offset++;
      const part = items.slice(start, offset + (i + 1) * each);
      if (fill !== null && i >= extra) part.push(fill);
      yield part;
    }
  }
  return new Iter(parts());
};

const join: Filter = (value, args, kwargs) => {
  const [separator = '', attribute = null] = bind({ name: 'join', parameters: ['d', 'attribute'] }, args, kwargs);
  const get = getter(attribute);
  return joined([...mapped(value, get)].map(str), str(separator));
};

const sum: Filter = (value, args, kwargs) => {
  const [attribute, start = 0] = bind({ name: 'sum', parameters: ['attribute', 'start'] }, args, kwargs);
  if (isStr(start)) throw typeError("sum() can't sum strings [use ''.join(seq) instead]");
  let total: Value = start;
  for (const item of mapped(value, getter(attribute))) total = binary('+', total, item);
  return total;
};

function last(value: Value): Value {
  if (isStr(value) && isMarkup(value))
    return textOf(value) === '' ? new Undefined('No last item.') : getItem(value, -1);
  const items = itemsOf(value);
  if (!items) throw typeError(`'${typeName(value)}' object is not reversible`);
  const [item] = items.slice(-1);
  return item === undefined ? new Undefined('No last item, sequence was empty.') : item;
}

export function sequenceFilters(find: Finders): ReadonlyMap<string, Filter> {
  const map: Filter = (value, args, kwargs) => {
    function* each(): Generator<Value> {
      if (!truthy(value)) return;
      if (args.length === 0 && kwargs.has('attribute')) {
        const extra = [...kwargs.keys()].find((key) => key !== 'attribute' && key !== 'default');
        if (extra !== undefined) throw valueError(`Unexpected keyword argument '${extra}'`);
        yield* mapped(value, getter(kwargs.get('attribute'), { otherwise: kwargs.get('default') }));
        return;
      }
      const [name, ...rest] = args;
      if (name === undefined) throw valueError('map requires a filter argument');
      const filter = isStr(name) ? find.filter(textOf(name)) : undefined;
      if (!filter) throw valueError(`No filter named '${isStr(name) ? textOf(name) : typeName(name)}'.`);
      yield* mapped(value, (item) => filter(item, rest, kwargs));
    }
    return new Iter(each());
  };
  return new Map<string, Filter>([
    ['map', map],
    ['select', selecting({ wanted: true, byAttribute: false, find: find.test })],
    ['reject', selecting({ wanted: false, byAttribute: false, find: find.test })],
    ['selectattr', selecting({ wanted: true, byAttribute: true, find: find.test })],
    ['rejectattr', selecting({ wanted: false, byAttribute: true, find: find.test })],
    ['min', extreme(-1)],
    ['max', extreme(1)],
    ['sort', sort],
    ['dictsort', dictSort],
    ['groupby', groupBy],
    ['unique', unique],
    ['batch', batch],
    ['slice', slices],
    ['join', join],
    ['sum', sum],
    ['list', (value) => toArray(value)],
    [
      'first',
      (value) => {
        const next = iterate(value).next();
        return next.done ? new Undefined('No first item, sequence was empty.') : next.value;
      },
    ],
    ['last', last],
    [
      'attr',
      (value, [name]) => {
        if (!isStr(name)) throw typeError('attr needs the name of an attribute');
        // Unlike `value.name`, this never falls back to the item.
        const found =
          value instanceof Dict ? getAttribute(new Dict(), textOf(name)) : getAttribute(value, textOf(name));
        return found instanceof Callable && value instanceof Dict ? getAttribute(value, textOf(name)) : found;
      },
    ],
  ]);
}
