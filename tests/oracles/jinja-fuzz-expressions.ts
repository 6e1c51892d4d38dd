import type { RandomStream } from '../../src/core/random.ts';

const names =
  's t u m e num html odd i z neg f g whole big huge yes no nil l words mixed empty nest d pair rows messages tree nums missing'.split(
    ' ',
  );
const literals = [
  "'a'",
  "'x\\n'",
  '""',
  "' '",
  "'é😀'",
  "'%s'",
  "'{}'",
  '0',
  '1',
  '2',
  '-1',
  '3',
  '10',
  '1.5',
  '0.1',
  '1e3',
  'true',
  'false',
  'none',
  '[]',
  '[1, 2, 3]',
  "['b', 'a']",
  '{}',
  "{'a': 1}",
  "{'k': [1, none]}",
  '(1, 2)',
  '(1,)',
  '()',
  'range(4)',
  '12345678901234567890',
  "'\\x41\\u00e9\\t\\''",
  "'a' 'b'",
  '1_000',
  '0x1f',
  '0b11',
  '0o17',
  '1e-7',
  '1.0e20',
  'True',
  'None',
  "{'a': 1, 'a': 2, 1: 'x', true: 'y', none: 0}",
  '[[1], [], [1, 2]]',
  "('b', 'A', 'a')",
  'range(9, 0, -2)',
  "'ǆŉﬁΣΑΣİıßẞǅ'",
  "'  12  '",
  "'1_0'",
  "'-0x1A'",
  "'1e3'",
  "'inf'",
  "'٣'",
  "'x' * 3",
  'dict(a=1, b=none)',
  'namespace(a=1)',
];
const attributes = [
  'n',
  'c',
  'c.0.n',
  '_x',
  '__class__',
  'upper',
  'real',
  'name',
  'k',
  'role',
  'content',
  'a',
  'items',
  'tool_calls',
  'in.v',
  'nope',
  '0',
  '1',
  'function',
];
const strings = [
  "'ß'",
  "'ab'",
  "' \\n'",
  '"\'"',
  "'a'",
  "'-'",
  "' '",
  "'l'",
  "'\\n'",
  "''",
  "'</think>'",
  "'o W'",
  "'é'",
];
const small = ['true', '99', '-99', '1.0', '0', '1', '2', '-1', '3', '5', 'none', 'i', 'neg'];
const binary = [
  '**',
  '+',
  '-',
  '*',
  '/',
  '//',
  '%',
  '~',
  '==',
  '!=',
  '<',
  '<=',
  '>',
  '>=',
  'and',
  'or',
  'in',
  'not in',
  '+',
  '~',
  '==',
];
const tests = [
  'defined',
  'undefined',
  'none',
  'string',
  'number',
  'integer',
  'float',
  'boolean',
  'mapping',
  'sequence',
  'iterable',
  'odd',
  'even',
  'true',
  'false',
  'upper',
  'lower',
  'callable',
  'divisibleby 2',
  'sameas none',
  'eq 1',
  "in 'abc'",
  'gt 1',
  'escaped',
  'not none',
  'not defined',
  'sameas true',
  'divisibleby(3)',
  'ge 2',
  'lt "b"',
  'ne none',
  'in [1, 2, none]',
  'not in d',
  'filter',
  'test',
];
export const plainFilters = [
  'upper',
  'lower',
  'title',
  'capitalize',
  'trim',
  'length',
  'count',
  'first',
  'last',
  'list',
  'join',
  'string',
  'int',
  'float',
  'abs',
  'round',
  'sort',
  'unique|list',
  'reverse',
  'reverse|list',
  'sum',
  'min',
  'max',
  'tojson',
  'items|list',
  'dictsort',
  'e',
  'safe',
  'wordcount',
  'default',
  'striptags',
  'urlencode',
  'select|list',
  'reject|list',
  'indent',
  'd',
  'forceescape',
  'center(9)',
  'filesizeformat',
  'filesizeformat(true)',
  'pprint',
  'items|map("last")|list',
  'list|tojson',
  'string|length',
  'int(base=16)',
  "int('d')",
  "float('d')",
  "round(1, 'ceil')",
  "round(method='floor')",
  'round(-1)',
  'sort(reverse=true)',
  'sort(case_sensitive=true)|join',
  'unique(true)|list',
  'groupby(0)|list',
  'batch(2, 0)|list',
  'slice(2)|map("list")|list',
  "wordwrap(5, true, '|')",
  'wordwrap(7, break_on_hyphens=false)',
  'indent(first=true)',
  'indent(3, blank=true)',
  'center(20)',
  "truncate(8, end='…')",
  'xmlattr(false)',
  'escape|upper',
  'safe|replace("a", "<")',
  'tojson(indent=1)',
  'tojson|safe|length',
  'dictsort(by="value")',
  'first|default("none")',
  'last|default("none", true)',
  'min|default(0)',
  'sum(start=1)',
  "trim('aH\n ')",
  'title|striptags',
  "attr('upper')",
  "map('upper')|join('-')",
  "reject('none')|list",
  "select('number')|sum",
];

export function expression(random: RandomStream, depth: number): string {
  if (depth <= 0) return random.below(3) === 0 ? pick(random, literals) : pick(random, [...names, 'x', 'y']);
  // Mostly in brackets, so that most templates parse; without them, precedence is what is tested.
  const next = (): string => {
    const inner = expression(random, depth - 1);
    return random.below(12) === 0 || /^\w+$/.test(inner) ? inner : `(${inner})`;
  };
  const joined = (): string => {
    const [left, operator] = [next(), pick(random, binary)];
    // Python folds powers of constants while it compiles, and ends at no bound: 3 ** 12345678901234567890.
    return `${left} ${operator} ${operator === '**' ? pick(random, small) : next()}`;
  };
  switch (random.below(24)) {
    case 0:
    case 1:
      return pick(random, names);
    case 2:
      return pick(random, literals);
    case 3:
    case 4:
      return joined();
    case 5:
      return `(${joined()})`;
    case 6:
      return `${pick(random, ['not ', '-', '+', 'not '])}${next()}`;
    case 7:
      return `${next()} is ${pick(random, tests)}`;
    case 8:
    case 9:
      return `${next()}|${pick(random, plainFilters)}`;
    case 10:
      return `${next()}|${argumentFilter(random, next)}`;
    case 11:
      return `${primary(random)}.${pick(random, attributes)}`;
    case 12:
      return `${primary(random)}[${pick(random, [...small, "'a'", "'role'", ':2', '1:', '::-1', '-2:', ':-1', '::2', '1:3', 'none:', next()])}]`;
    case 13:
    case 14:
      return method(random, next);
    case 15:
      return `${next()} if ${next()}${pick(random, ['', ` else ${next()}`, ` else ${next()}`])}`;
    case 16:
      return pick(random, [
        `[${next()}, ${next()}]`,
        `(${next()}, ${next()})`,
        `{${pick(random, strings)}: ${next()}}`,
        `dict(a=${next()})`,
        `range(${pick(random, small)})`,
      ]);
    case 17:
      return `${primary(random)}[${pick(random, small)}:${pick(random, [...small, ''])}${pick(random, ['', ':2', ':-1', ':-2', ':0', `:${pick(random, small)}`])}]`;
    case 18:
      return `${next()} ${pick(random, ['<', '<=', '==', '!=', 'in', 'not in', '>'])} ${next()} ${pick(random, ['<', '>=', '==', 'in', 'and', 'or'])} ${next()}`;
    case 19:
      return `'${pick(random, ['{}', '{!r}', '{:>6}|', '{:<{}}|', '{0}{0!s:^7}', '{a}', '{0.k}', '{0[k]}', '{:05}', '{:,}', '{:+.2f}', '{:e}', '{:x}', '{:%}', '{:.3}', '{:^+9.1f}|', '{{}}{}', '{:_}', '{:#x}'])}'.format(${next()}${pick(random, ['', `, ${next()}`, ', 9', `, a=${next()}`])})`;
    case 20:
      return `(${pick(random, ['missing.x', 'd.nope', 'rows[9]', "rows[0]['zz']", 'missing', 'missing[0]'])})${pick(random, ['', ' is defined', '|default(1)', '|d("x", true)', '.y', "['y']", '|length', '|list', ' or 1', ' ~ "z"', ' == missing', '|string', '|tojson', ' + 1', '|first', '|join', '|upper'])}`;
    case 21:
      return pick(random, [
        `strftime_now('${pick(random, ['%Y-%m-%d', '%d %b %Y', '%H:%M', '%j %a %A', '%B %-d', '%%'])}')`,
        `cycler(${next()}, 1).next()`,
        `joiner(${next()})()`,
        `dict(${next()})`,
        `dict(${next()}, b=1).b`,
        `namespace(a=${next()}).a`,
        `range(${pick(random, small)}, ${pick(random, small)}, ${pick(random, small)})|list`,
        `(${next()},) + (${next()},)`,
        `[${next()}] * ${pick(random, small)}`,
        `range(*[1, 4])|list`,
        `dict(**{'a': ${next()}})`,
        `${next()} if ${next()} else ${next()} if ${next()}`,
      ]);
    case 22:
      return `'${pick(random, ['%+d', '% d', '%-6d|', '%08.3f', '%.0f', '%#x', '%#o', '%X', '%E', '%G', '%.3s', '%c', '%a', '%5%', '%*d', '%(k)s', '%(k)5s%%', '%s%', '%i', '%u', '%-*s|'])}' % ${pick(random, [next(), `(${next()},)`, `(5, ${next()})`, "{'k': 1}", 'rows[0]'])}`;
    default:
      return `'${pick(random, ['%s', '%5s', '%-4s|', '%d', '%.2f', '%r', '%x', '%s %s', '%05d', '%g', '%e', '%(a)s'])}' % ${pick(random, [next(), `(${next()},)`, `(${next()}, ${next()})`])}`;
  }
}

function primary(random: RandomStream): string {
  return pick(random, [
    ...names,
    'rows[0]',
    'tree[0]',
    'odd',
    'nums',
    'tree[0].c[1]',
    'messages[2]',
    'messages[-1]',
    'nest[1]',
    'messages[2].tool_calls[0].function',
    "'abc'",
    '(1, 2)',
    'x',
  ]);
}

function argumentFilter(random: RandomStream, next: () => string): string {
  const text = (): string => pick(random, strings);
  const number = (): string => pick(random, small);
  const attribute = (): string => `'${pick(random, attributes)}'`;
  return pick(random, [
    () => `default(${next()})`,
    () => `default(${next()}, true)`,
    () => `join(${text()})`,
    () => `join(${text()}, attribute=${attribute()})`,
    () => `replace(${text()}, ${text()})`,
    () => `replace(${text()}, ${next()}, ${number()})`,
    () =>
      `indent(${pick(random, ['2', '0', "'> '"])}, ${pick(random, ['true', 'false'])}, ${pick(random, ['true', 'false'])})`,
    () =>
      `truncate(${pick(random, ['3', '5', '8'])}, ${pick(random, ['true', 'false'])}, ${text()}, ${pick(random, ['0', '2', 'none'])})`,
    () => `map(attribute=${attribute()})|list`,
    () => `map(attribute=${attribute()}, default=${next()})|list`,
    () =>
      `map(${pick(random, ["'upper'", "'string'", "'length'", "'int'", "'tojson'", "'first'", "'default', 1"])})|list`,
    () => `select(${pick(random, ["'string'", "'defined'", "'odd'", "'gt', 1", "'none'", "'in', l"])})|list`,
    () => `reject(${pick(random, ["'string'", "'none'", "'eq', 1"])})|list`,
    () => `selectattr(${attribute()})|list`,
    () => `selectattr(${attribute()}, ${pick(random, ["'eq', 2", "'defined'", "'none'", "'equalto', 'user'"])})|list`,
    () => `rejectattr(${attribute()}, 'eq', 'user')|list`,
    () => `sort(reverse=${pick(random, ['true', 'false'])})`,
    () => `sort(attribute=${attribute()})`,
    () => `groupby(${attribute()})`,
    () => `batch(${pick(random, ['2', '3'])}, ${pick(random, ['none', "'f'"])})|list`,
    () => `slice(${pick(random, ['2', '3'])}, ${pick(random, ['none', "'f'"])})|list`,
    () => `round(${pick(random, ['0', '1', '2', '-1'])}, ${pick(random, ["'common'", "'floor'", "'ceil'"])})`,
    () => `int(${next()}, ${pick(random, ['10', '16', '2', '8'])})`,
    () => `tojson(indent=${pick(random, ['2', '0', '4', 'none'])})`,
    () => `tojson(ensure_ascii=true, sort_keys=${pick(random, ['true', 'false'])})`,
    () => `tojson(separators=(',', ':'))`,
    () => `trim(${text()})`,
    () => `wordwrap(${pick(random, ['4', '7', '12'])})`,
    () => `min(attribute=${attribute()})`,
    () => `sum(attribute=${attribute()})`,
    () => `unique(attribute=${attribute()})|list`,
    () => `attr(${attribute()})`,
    () => `dictsort(${pick(random, ['true', 'false'])}, ${pick(random, ["'key'", "'value'"])})`,
    () => `format(${next()})`,
    () => `xmlattr`,
    () => `xmlattr(${pick(random, ['true', 'false'])})`,
    () =>
      `sort(attribute=${attribute()}, reverse=${pick(random, ['true', 'false'])}, case_sensitive=${pick(random, ['true', 'false'])})`,
    () => `sort(attribute='k,name')|map(attribute='name')|join`,
    () => `groupby(${attribute()}, default=${next()})`,
    () => `groupby(${attribute()}, case_sensitive=true)|map(attribute='grouper')|list`,
    () => `groupby(${attribute()})|map(attribute=1)|map('length')|list`,
    () => `max(attribute=${attribute()})`,
    () => `max(true, ${attribute()})`,
    () => `map('replace', ${text()}, ${text()})|list`,
    () => `map('truncate', 3)|list`,
    () => `map('default', ${next()}, true)|list`,
    () => `map(attribute=${attribute()})|select|list`,
    () =>
      `selectattr(${attribute()}, ${pick(random, ["'in', [1, 2]", "'ne', none", "'gt', 1", "'undefined'", "'sameas', true"])})|map(attribute='name')|list`,
    () => `wordwrap(${pick(random, ['3', '5', '9'])}, ${pick(random, ['true', 'false'])}, ${text()})`,
    () => `float(${next()})`,
    () => `int(${next()})`,
    () => `join(${next()})`,
    () => `urlencode`,
    () => `first`,
  ])();
}

function method(random: RandomStream, next: () => string): string {
  const text = (): string => pick(random, strings);
  const number = (): string => pick(random, small);
  const object = primary(random);
  return `${object}.${pick(random, [
    () => `split(${text()})`,
    () => `split()`,
    () => `split(${text()}, ${number()})`,
    () => `rsplit(${text()}, ${number()})`,
    () => `rsplit(none, ${number()})`,
    () => `strip(${pick(random, ['', text()])})`,
    () => `lstrip(${pick(random, ['', text()])})`,
    () => `rstrip(${pick(random, ['', text()])})`,
    () => `replace(${text()}, ${text()})`,
    () => `replace(${text()}, ${text()}, ${number()})`,
    () => `startswith(${text()})`,
    () => `endswith((${text()}, ${text()}))`,
    () => `find(${text()}, ${number()})`,
    () => `rfind(${text()}, ${number()}, ${number()})`,
    () => `count(${text()})`,
    () => `index(${text()})`,
    () => `partition(${text()})`,
    () => `rpartition(${text()})`,
    () => `splitlines(${pick(random, ['', 'true'])})`,
    () => pick(random, ['upper()', 'lower()', 'title()', 'capitalize()', 'swapcase()', 'casefold()']),
    () =>
      pick(random, [
        'isdigit()',
        'isalpha()',
        'isspace()',
        'isupper()',
        'islower()',
        'istitle()',
        'isalnum()',
        'isascii()',
        'isprintable()',
        'isidentifier()',
      ]),
    () => `join(${next()})`,
    () => `center(${number()}, '*')`,
    () => `ljust(14, ${text()})`,
    () => `zfill(${pick(random, ['4', '12'])})`,
    () => `removeprefix(${text()})`,
    () => `expandtabs(${number()})`,
    () => `get(${pick(random, ["'a'", "'role'", "'zz'"])}, ${next()})`,
    () => 'items()|list',
    () => 'keys()|list',
    () => 'values()|list',
    () => `format(${next()}, ${next()})`,
    () => `append(${next()})`,
    () =>
      `${pick(random, ['split', 'strip', 'find', 'count', 'startswith', 'replace', 'join', 'center', 'index', 'get', 'partition'])}(${next()}${pick(random, ['', `, ${next()}`, ', 1'])})`,
    () => `splitlines(${pick(random, ['', 'keepends=true'])})`,
    () => `${pick(random, ['ljust', 'rjust', 'center'])}(${pick(random, ['3', '15', 'i'])}, ${text()})`,
    () => `rsplit(${text()}, ${number()})`,
    () => `removesuffix(${text()})`,
    () => `lstrip(${text()}).rstrip(${text()})`,
    () => `split(${text()})[${pick(random, ['-1', '0', '1', ':1', '1:'])}]`,
    () => `split(${text()})|last`,
    () => `format_map(${next()})`,
    () => `copy()`,
  ])()}`;
}

export function pick<T>(random: RandomStream, items: readonly T[]): T {
  return items[random.below(items.length)] as T;
}
