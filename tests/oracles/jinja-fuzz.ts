import { type RandomStream, randomStream, streamKey } from '../../src/core/random.ts';
import { expression, pick, plainFilters } from './jinja-fuzz-expressions.ts';

/** Data every fuzzed template is given; JSON that Python and Martlet read alike. */
export const fuzzVariables = `{
  "s": "Hello World", "t": "a-b_c d", "u": "Grüße 世界 👩‍👧 ß", "m": "one\\n two\\n\\nthree ", "e": "", "num": "42", "html": "<a href='x'>&</a>",
  "odd": "ǆ ŉ\\u0085\\u2028ﬁ\\tΣΑΣ \\u0000", "i": 7, "z": 0, "neg": -3, "f": 2.5, "g": -0.125, "whole": 4.0, "big": 12345678901234567890, "huge": 1e20,
  "yes": true, "no": false, "nil": null,
  "l": [3, 1, 2], "words": ["pear", "Apple", "fig", "apple"], "mixed": [1, "a", null, 2.0, true, [1, 2], {"k": "v"}], "empty": [], "nest": [[1, 2], [3, 4]],
  "d": {"b": 1, "a": 2.0, "items": "shadow", "C": null, "x y": [1]}, "pair": {"key": "K", "value": 9},
  "nums": ["12", " -3 ", "4.5", "x", "1e2", null, 7],
  "tree": [{"n": 1, "c": [{"n": 2, "c": []}, {"n": 3, "c": [{"n": 4}]}]}, {"n": 5, "c": null}],
  "rows": [{"name": "x", "k": 2, "tag": "A", "in": {"v": 1}}, {"name": "y", "k": 1, "tag": "a", "in": {"v": 3}}, {"name": "z", "k": 2, "tag": "B", "in": {"v": null}}],
  "messages": [
    {"role": "system", "content": " Be brief.\\n"}, {"role": "user", "content": "Hi <|im_end|>"},
    {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"x": 1.0, "y": "é\\"", "z": [null, true]}}}]},
    {"role": "tool", "content": "{\\"r\\": 1}"}, {"role": "assistant", "content": "<think>\\nHm\\n</think>\\n\\nDone.", "reasoning_content": "Hm"}]
}`;

/** Templates drawn from a grammar; the same key gives the same ones. */
export function fuzzCases(seed: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => template(randomStream(streamKey(seed, index))));
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
  const kind = where.depth <= 0 ? random.below(3) : random.below(23);
  const inner = (loop: boolean): string => {
    let text = '';
    for (let i = random.below(2); i >= 0; i--) text += statement(random, { depth: where.depth - 1, loop });
    return text;
  };
  const value = (): string => expression(random, 1 + random.below(3));
  const open = pick(random, ['{%', '{%', '{%-', '{%+', '\n{%', '\n  {%', ' {%-']);
  const close = pick(random, ['%}', '%}', '-%}', '+%}', '%}\n', '-%}\n  ', '+%}\n']);
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
    case 14:
      return `${tag('block b')}${inner(false)}${tag('endblock')}`.replace(' b ', () => ` b${random.below(1_000_000)} `);
    case 15: {
      const deeper = pick(random, [
        '{{ loop(x.c) }}',
        '{{ loop(x.c) if x.c }}',
        '{% if x.c %}[{{ loop(x.c) }}]{% endif %}',
      ]);
      return `${tag(`for x in ${pick(random, ['tree', 'tree', 'rows', value()])} recursive`)}{{ x.n }}${loopPart(random)}${deeper}${tag('endfor')}`;
    }
    case 16:
      return `${tag('set ns = namespace(v=0, s="")')}${tag(`for x in ${pick(random, ['l', 'rows', 'words', 'messages'])}`)}${tag(`set ns.${pick(random, ['v', 's', 'w'])} = ${pick(random, ['ns.v + 1', 'ns.s ~ x', value()])}`)}${loopPart(random)}${tag('endfor')}{{ ns.v }}{{ ns.s }}{{ ns.w }}`;
    case 17: {
      const steps = pick(random, ['n - 1', 'n - 2', 'n // 2']);
      return `${tag(`macro rec(n, ${pick(random, ['k=n', "k='k'", 'k=[]'])})`)}{{ n }}{{ k }}${tag('if n > 0')}{{ rec(${steps}) }}${tag('endif')}${tag('endmacro')}{{ rec(${pick(random, ['3', '0', value()])}) }}`;
    }
    case 18:
      return `{% macro each(items) %}{% for y in items %}{{ caller(y${pick(random, ['', ', loop.index', ', z=1'])}) }}{% endfor %}{{ ${pick(random, ['each.name', 'each.arguments', 'each.caller', 'caller.arguments', 'items'])} }}{% endmacro %}${tag(`call(${pick(random, ['a', 'a, b', 'a, b=2, z=3', ''])}) each(${pick(random, ['l', 'rows', value()])})`)}{{ a }}{{ b }}${inner(false)}${tag('endcall')}`;
    case 19:
      return `${tag(`set x = ${value()}`)}${tag(`if ${pick(random, ['x', 'x is defined', 'not x', 'x == s'])}`)}${tag(`set x = ${value()}`)}${tag('endif')}${tag('for i in [1, 2]')}{{ x }}${tag(`set x = ${value()}`)}{{ x }}${tag('endfor')}{{ x }}`;
    case 20:
      return `${tag('raw')}${pick(random, ['{{ x }}', ' {% if %}\n', '\n  '])}${tag('endraw')}${pick(random, ['', '\n', ' \n'])}`;
    case 21:
      return `${tag(`for k, v in ${pick(random, ['d', 'pair', 'rows[0]', 'messages[2]'])}${pick(random, ['.items()', '|items', '|dictsort', '|dictsort(reverse=true)'])}`)}{{ k }}={{ v${pick(random, ['', '|tojson', '|string|length'])} }}${loopPart(random)}${where.depth > 1 ? inner(true) : ''}${tag('endfor')}`;
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
    '{{ loop.index0 }}/{{ loop.revindex }}',
    '{{ loop.first }}{{ loop.depth }}{{ loop.depth0 }}',
    '{{ loop.previtem.role }}',
    '{{ loop.nextitem.k is defined }}',
    '{{ loop.changed(x.role, loop.index % 2) }}',
    '{{ loop.cycle(*[1, 2, 3]) }}',
    '{{ loop|length }}',
    '{{ loop.nope }}',
    '{% if loop.index > 1 %}{% break %}{% endif %}',
    '{% if loop.last %}{% continue %}{% endif %}',
    '{% if loop.index is odd %}{% continue %}{% endif %}',
  ]);
}
