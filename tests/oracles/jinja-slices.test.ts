import { expect, test } from 'vitest';
import { describeWithOracles } from '../support/oracle.ts';
import { compareTable } from './jinja-compare.ts';

/** Slices that cannot be cut. jinja2 makes an undefined of them where it works constants out while compiling. */
const uncut = ["'abc'[5:1.0:5]", '7[1:2]', "none['a':]", "{'a': 1}[0:1]"];

const macro = '{% macro w(a) %}<{{ a }}>{% endmacro %}';
const around = [
  ...['{{ X }}', '{{ [X] }}', '{{ [X, s] }}', '{{ (X, s) }}', '{{ {"a": X} }}', '{{ {"a": X, "b": s} }}', '{{ X.a }}'],
  ...['{{ X ~ s }}', "{{ X ~ 'a' }}", '{{ X + s }}', "{{ 'a' + X }}", '{{ -(X) }}', '{{ not X }}', '{{ X == s }}'],
  ...['{{ X or s }}', '{{ s or X }}', '{{ X and s }}', '{{ s and X }}', '{{ s if X else 2 }}', '{{ X if s else 2 }}'],
  ...['{{ X in l }}', '{{ l[X:] }}', '{{ s[X] }}', '{{ d[X] }}', "{{ s.replace('H', X) }}", '{{ dict(a=X) }}'],
  ...['{{ s | default(X) }}', "{{ 'a' | default(X) }}", '{{ X | default(1) }}', '{{ l | map("default", X) | list }}'],
  ...['{{ s is eq(X) }}', '{{ X is undefined }}', '{{ namespace(a=X) }}', '{% filter default(X) %}a{% endfilter %}'],
  ...['{% set y = X %}{{ y }}', '{% set y = [X] %}{{ y }}', '{% with y = X %}{{ y }}{% endwith %}'],
  ...['{% for i in X %}{% endfor %}', '{% if X %}a{% else %}b{% endif %}', '{% if not X %}a{% endif %}'],
  ...['{{ w(X) }}', '{{ w(a=X) }}', '{{ w(*[X]) }}', '{{ w(X is undefined) }}'].map((call) => macro + call),
  ...['map("upper")', 'select', 'reject', 'selectattr("a")', 'rejectattr("a")', 'first', 'sort', 'join'].flatMap(
    (filter) => [
      `{{ X | ${filter} | list }}`,
      `{% with y = X | ${filter} | list %}a{% endwith %}`,
      `{% set y = [1] | ${filter} | list + [X] | list %}{{ y }}`,
    ],
  ),
  '{% macro w(a) %}<{{ a }}{{ caller() }}>{% endmacro %}{% call w(X) %}c{% endcall %}',
];

describeWithOracles('a slice of a constant that cannot be cut', () => {
  test('is undefined or an error wherever it is in Python', async () => {
    const templates = around.flatMap((text) => uncut.map((slice) => text.replaceAll('X', slice)));
    const input = '{"s": "Hello", "l": [1, 2], "d": {"a": 1}}';
    const { compared, differences } = await compareTable({ templates, inputs: [input] });
    expect(differences).toEqual([]);
    expect(compared).toBe(templates.length);
  });
});
