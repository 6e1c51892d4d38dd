import { type RandomStream, randomStream, streamKey } from '../../src/core/random.ts';

/** Data every fuzzed template is given; JSON that Python and Martlet read alike. */
export const fuzzVariables = `{
  "s": "Hello World", "t": "a-b_c d", "u": "Grüße 世界 👩‍👧 ß", "m": "one\\n two\\n\\nthree ", "e": "", "num": "42", "html": "<a href='x'>&</a>",
  "i": 7, "z": 0, "neg": -3, "f": 2.5, "g": -0.125, "whole": 4.0, "big": 12345678901234567890, "huge": 1e20,
  "yes": true, "no": false, "nil": null,
  "l": [3, 1, 2], "words": ["pear", "Apple", "fig", "apple"], "mixed": [1, "a", null, 2.0, true, [1, 2], {"k": "v"}], "empty": [], "nest": [[1, 2], [3, 4]],
  "d": {"b": 1, "a": 2.0, "items": "shadow", "C": null, "x y": [1]}, "pair": {"key": "K", "value": 9},
  "rows": [{"name": "x", "k": 2, "tag": "A", "in": {"v": 1}}, {"name": "y", "k": 1, "tag": "a", "in": {"v": 3}}, {"name": "z", "k": 2, "tag": "B", "in": {"v": null}}],
  "messages": [
    {"role": "system", "content": " Be brief.\\n"}, {"role": "user", "content": "Hi <|im_end|>"},
    {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"x": 1.0, "y": "é\\"", "z": [null, true]}}}]},
    {"role": "tool", "content": "{\\"r\\": 1}"}, {"role": "assistant", "content": "<think>\\nHm\\n</think>\\n\\nDone.", "reasoning_content": "Hm"}]
}`;

const names =
  's t u m e num html i z neg f g whole big huge yes no nil l words mixed empty nest d pair rows messages missing'.split(
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
];
const attributes = ['name', 'k', 'role', 'content', 'a', 'items', 'tool_calls', 'in.v', 'nope', '0', '1', 'function'];
const strings = ["'a'", "'-'", "' '", "'l'", "'\\n'", "''", "'</think>'", "'o W'", "'é'"];
const small = ['0', '1', '2', '-1', '3', '5', 'none', 'i', 'neg'];
const binary = [
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
];
const plainFilters = [
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
];

/** Templates drawn from a grammar; the same key gives the same ones. */
export function fuzzCases(seed: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => template(randomStream(streamKey(seed, index))));
}

function pick<T>(random: RandomStream, items: readonly T[]): T {
  return items[random.below(items.length)] as T;
}

function template(random: RandomStream): string {
  let text = '';
  for (let i = random.below(3) + 1; i > 0; i--) text += statement(random, { depth: 1 + random.below(3), loop: false });
  return text;
}

interface Where {
  readonly depth: number;
  readonly loop: boolean;
}

function statement(random: RandomStream, where: Where): string {
  const kind = where.depth <= 0 ? random.below(3) : random.below(15);
  const inner = (loop: boolean): string => {
    let text = '';
    for (let i = random.below(2); i >= 0; i--) text += statement(random, { depth: where.depth - 1, loop });
    return text;
  };
  const value = (): string => expression(random, 1 + random.below(3));
  const open = pick(random, ['{%', '{%', '{%-', '{%+']);
  const close = pick(random, ['%}', '%}', '-%}', '+%}']);
  const tag = (body: string): string => `${open} ${body} ${close}`;
  switch (kind) {
    case 0:
    case 1:
      return `${pick(random, ['{{', '{{-'])} ${value()} ${pick(random, ['}}', '-}}'])}`;
    case 2:
      return pick(random, [
        'text ',
        '\n',
        '  \n  ',
        'x\r\ny',
        '\t',
        ' é ',
        '{ }',
        '%',
        '#}',
        '\n\n',
        '{# c #}',
        '{#- c -#}\n',
        '  {# c #}\n',
      ]);
    case 3:
    case 4: {
      const rest = random.below(3);
      const middle =
        rest === 0
          ? ''
          : rest === 1
            ? `${tag('else')}${inner(where.loop)}`
            : `${tag(`elif ${value()}`)}${inner(where.loop)}`;
      return `${tag(`if ${value()}`)}${inner(where.loop)}${middle}${tag('endif')}`;
    }
    case 5:
    case 6: {
      const target = pick(random, ['x', 'x', 'x', 'x, y', 's']);
      const source =
        random.below(3) === 0
          ? value()
          : pick(random, [
              'l',
              'words',
              'rows',
              'messages',
              'd.items()',
              's',
              'range(3)',
              'nest',
              'mixed',
              'empty',
              "rows|map(attribute='k')",
            ]);
      const filter = random.below(4) === 0 ? ` if ${expression(random, 2)}` : '';
      const otherwise = random.below(4) === 0 ? `${tag('else')}${inner(false)}` : '';
      return `${tag(`for ${target} in ${source}${filter}`)}${loopPart(random)}${inner(true)}${otherwise}${tag('endfor')}`;
    }
    case 7:
      return tag(`set ${pick(random, ['x', 'y', 's', 'x, y', 'ns.v'])} = ${value()}`);
    case 8:
      return `${tag(`set ${pick(random, ['x', 'y', 's'])}${pick(random, ['', '', ' | upper', ' | trim | length'])}`)}${inner(where.loop)}${tag('endset')}`;
    case 9: {
      const parameters = pick(random, ['', 'x', "x, y='d'", 'x=1, y=x']);
      const call = pick(random, ['mac()', 'mac(1)', `mac(${value()})`, `mac(1, y=${value()})`, 'mac(1, 2, 3)']);
      return `${tag(`macro mac(${parameters})`)}${inner(false)}${pick(random, ['', '', '{{ caller() }}', '{{ varargs }}', '{{ kwargs }}'])}${tag('endmacro')}{{ ${call} }}`;
    }
    case 10:
      return `${tag(`with x = ${value()}${pick(random, ['', ', y = x'])}`)}${inner(where.loop)}${tag('endwith')}`;
    case 11:
      return `${tag(`filter ${pick(random, plainFilters)}`)}${inner(where.loop)}${tag('endfilter')}`;
    case 12:
      return `{% macro wrap(a) %}<{{ a }}{{ caller(${pick(random, ['', 'a', '1'])}) }}>{% endmacro %}${tag(`call${pick(random, ['', '(q)'])} wrap(${value()})`)}${inner(false)}${tag('endcall')}`;
    case 13:
      return where.loop
        ? tag(`if ${value()}`) + tag(pick(random, ['break', 'continue'])) + tag('endif')
        : `${tag('set ns = namespace(v=1)')}{{ ns.v }}`;
    default:
      return `${tag('generation')}${inner(false)}${tag('endgeneration')}`;
  }
}

function loopPart(random: RandomStream): string {
  return pick(random, [
    '',
    '{{ loop.index }}',
    '{{ loop.last }}',
    '{{ loop.length }}',
    '{{ loop.nextitem }}',
    '{{ loop.previtem }}',
    "{{ loop.cycle('a', 'b') }}",
    '{{ loop.changed(x) }}',
    '{{ loop.revindex0 }}',
    '{{ x }}',
    '{{ x, y }}',
  ]);
}

function expression(random: RandomStream, depth: number): string {
  if (depth <= 0) return random.below(3) === 0 ? pick(random, literals) : pick(random, [...names, 'x', 'y']);
  // Mostly in brackets, so that most templates parse; without them, precedence is what is tested.
  const next = (): string => {
    const inner = expression(random, depth - 1);
    return random.below(12) === 0 || /^\w+$/.test(inner) ? inner : `(${inner})`;
  };
  switch (random.below(18)) {
    case 0:
    case 1:
      return pick(random, names);
    case 2:
      return pick(random, literals);
    case 3:
    case 4:
      return `${next()} ${pick(random, binary)} ${next()}`;
    case 5:
      return `(${next()} ${pick(random, binary)} ${next()})`;
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
    default:
      return `'${pick(random, ['%s', '%5s', '%-4s|', '%d', '%.2f', '%r', '%x', '%s %s', '%05d', '%g', '%e', '%(a)s'])}' % ${pick(random, [next(), `(${next()},)`, `(${next()}, ${next()})`])}`;
  }
}

function primary(random: RandomStream): string {
  return pick(random, [
    ...names,
    'rows[0]',
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
    () => `copy()`,
  ])()}`;
}
