import { attributes, filters, items, lazy, tests } from './jinja-table-calls.ts';
import { expressions, methods } from './jinja-table-methods.ts';

/**
 * Every filter, test, operator, method and global of jinja2 crossed with values of every kind: what each expression gives is
 * asked of Python. Written as data, so that a kind or an argument added here is tried with everything.
 */

/** Values that JSON can say, as `v` of an input. */
const jsonValues = [
  'null',
  'true',
  'false',
  '0',
  '1',
  '-7',
  '12345678901234567890',
  '2.5',
  '-0.125',
  '1.0',
  '1e20',
  '""',
  '"Hello World"',
  '" a-b_c\\n\\n  \\u00dcn\\u00ef \\u00df\\ud83d\\ude00\\t"',
  '"42"',
  '"-3.7e2"',
  '"0x1F"',
  '"<a href=\'x\'>&amp; \\"q\\"</a> (http://x.io/a?b=c)."',
  '"%s {} {0} {v}"',
  '[]',
  '[3, 1, 2]',
  '["b", "A", "a", "C", "b"]',
  '[1, "a", null, 2.0, true, [1], {"k": 1}]',
  '[[1, 2], [3, 0]]',
  '{}',
  '{"b": 1, "a": 2.0, "C": null}',
  '{"k": {"x": "y"}, "items": [1], "get": 5, "<x>": "&"}',
  '[{"k": 2, "n": "x"}, {"k": 1, "n": "Y"}, {"k": 2, "n": "X"}, {"n": null}]',
] as const;

/** Values that only a template can make; `v` is one of these where the input has a `kind`. */
const madeValues: Readonly<Record<string, string>> = {
  tuple: "(1, 'a', none)",
  single: '(2,)',
  range: 'range(1, 9, 3)',
  undefined: 'nowhere',
  markup: "'<b>a-B &amp; c</b>'|safe",
  items: "{'a': 1, 'b': [2]}.items()",
  keys: "{'a': 1, 'b': 2}.keys()",
  space: "namespace(a=1, b='x')",
  // Not from constants: what jinja2 folds to an infinity while compiling, it cannot write down.
  infinite: 'minus|float',
  nan: 'not_a|float',
};

const made = `{% set v = {${Object.entries(madeValues)
  .map(([kind, value]) => `'${kind}': ${value}`)
  .join(', ')}}[kind] if kind else v %}`;

/** One JSON object a value: `v` and, where the template makes it, `kind`. */
export const inputs: readonly string[] = [
  ...jsonValues.map((value) => `{"v": ${value}, "kind": null}`),
  ...Object.keys(madeValues).map((kind) => `{"v": null, "kind": "${kind}", "minus": "-inf", "not_a": "nan"}`),
];

/** Expressions about one value. */
export function valueExpressions(): string[] {
  return [
    ...Object.entries(filters).flatMap(([name, calls]) =>
      calls.map((call) => (lazy.has(name) ? `v|${name}${call}|list` : `v|${name}${call}`)),
    ),
    ...tests.map((test) => `v is ${test}`),
    ...attributes.map((attribute) => `v.${attribute}`),
    ...items.map((item) => `v[${item}]`),
    ...methods.map((method) => `v.${method}`),
    ...expressions,
  ];
}

const operators = [
  '+',
  '-',
  '*',
  '/',
  '//',
  '%',
  '**',
  '~',
  '==',
  '!=',
  '<',
  '<=',
  '>',
  '>=',
  'in',
  'not in',
  'and',
  'or',
  'is eq',
];

/** Expressions about two values, `v` and `w`. */
export function pairExpressions(): string[] {
  return operators.map((operator) =>
    // A power of a large number would keep Python busy for good.
    operator === '**' ? '0 if w is integer and w > 99 else v ** w' : `v ${operator} w`,
  );
}

/** In brackets, so that `'1'` and `1` differ; then by itself, as templates print. */
export function valueTemplate(expression: string): string {
  return `${made}{{ [${expression}] }}|{{ ${expression} }}`;
}

export function pairTemplate(expression: string): string {
  const other = made.replaceAll(/\bv\b/g, 'w').replaceAll(/\bkind\b/g, 'kindOfW');
  return `${made}${other}{{ [${expression}] }}`;
}

/** Every input with every other: `v` from the one, `w` from the other. */
export const inputPairs: readonly string[] = inputs.flatMap((one) =>
  inputs.map((other) => `${one.slice(0, -1)}, ${other.slice(1).replace('"v"', '"w"').replace('"kind"', '"kindOfW"')}`),
);
