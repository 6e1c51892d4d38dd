import { typeError } from './error.ts';
import type { Filter, Test } from './filter.ts';
import { sequenceFilters } from './filters-sequence.ts';
import { textFilters } from './filters-text.ts';
import { valueFilters } from './filters-value.ts';
import { nameTest, valueTests } from './tests.ts';

const bare: ReadonlySet<string> = new Set(
  'abs e escape first forceescape items last list pprint safe string striptags urlencode wordcount'.split(' '),
);

function withoutArguments(name: string, filter: Filter): Filter {
  return (value, args, kwargs) => {
    if (args.length > 0 || kwargs.size > 0) throw typeError(`the filter ${name} takes no arguments`);
    return filter(value, args, kwargs);
  };
}

/** Every filter of jinja2, with `tojson` as transformers sets it. */
export const filters: ReadonlyMap<string, Filter> = new Map<string, Filter>(
  [
    ...textFilters,
    ...valueFilters,
    ...sequenceFilters({ filter: (name) => filters.get(name), test: (name) => tests.get(name) }),
  ].map(([name, filter]): [string, Filter] => [name, bare.has(name) ? withoutArguments(name, filter) : filter]),
);

/** Every test of jinja2. */
export const tests: ReadonlyMap<string, Test> = new Map([
  ...valueTests,
  ['filter', nameTest((name) => filters.has(name))],
  ['test', nameTest((name) => tests.has(name))],
]);
