import { describe, expect, it, test } from 'vitest';
import { type ChatMessage, parseJson } from './index.ts';
import { compileJinja } from './jinja/program.ts';
import { Float } from './jinja/value.ts';
import { compileTemplate, type RenderInput, renderChat } from './template.ts';

/** `text<source>` for each span, in short: `Hi<0.content@0>`. */
function spans(template: string, change: Partial<RenderInput> & { messages: readonly ChatMessage[] }): string[] {
  const rendering = renderChat({ template: compileTemplate(template), ...change });
  if (!rendering.ok) throw new Error(rendering.issue.message);
  return rendering.spans.map(({ start, end, source }) => {
    const text = rendering.text.slice(start, end);
    if (source.kind === 'template') return text;
    const where = source.kind === 'message' ? `${source.index}.${source.field}` : source.name;
    return `${text}<${where}@${source.offset ?? '-'}>`;
  });
}

const hello: readonly ChatMessage[] = [{ role: 'user', content: ' Hello World ' }];

describe('where characters came from', () => {
  it.each([
    ['{{ messages[0].content }}', [' Hello World <0.content@0>']],
    [
      '{{ messages[0].role }}: {{ messages[0].content | trim }}.',
      ['user<0.role@0>', ': ', 'Hello World<0.content@1>', '.'],
    ],
    ['{{ messages[0].content[3:7] }}', ['llo <0.content@3>']],
    [
      "{{ messages[0].content.split('o') | join('0') }}",
      [' Hell<0.content@0>', '0', ' W<0.content@6>', '0', 'rld <0.content@9>'],
    ],
    ["{{ messages[0].content | replace('Hello', 'Bye') }}", [' <0.content@0>', 'Bye', ' World <0.content@6>']],
    ['{{ messages[0].content | upper }}', [' HELLO WORLD <0.content@->']],
    ["{{ '[' ~ messages[0].content.strip() ~ ']' }}", ['[', 'Hello World<0.content@1>', ']']],
    ["{{ '<%s|%5d>' % (messages[0].content.split()[1], 3) }}", ['<', 'World<0.content@7>', '|    3>']],
    ["{{ '{:>7}'.format(messages[0].content.split()[1]) }}", ['  ', 'World<0.content@7>']],
    ['{% set x %}a{{ messages[0].content.strip() }}b{% endset %}{{ x[:7] }}', ['a', 'Hello <0.content@1>']],
    [
      '{% macro m(x) %}({{ x }}){% endmacro %}{{ m(messages[0].content.strip()) }}',
      ['(', 'Hello World<0.content@1>', ')'],
    ],
    ['{% for c in messages[0].content.strip() %}{{ c }}{% endfor %}', ['Hello World<0.content@1>']],
    [
      '{{ messages[0].content.strip()[::-1] }}',
      [
        'd<0.content@11>',
        'l<0.content@10>',
        'r<0.content@9>',
        'o<0.content@8>',
        'W<0.content@7>',
        ' <0.content@6>',
        'o<0.content@5>',
        'l<0.content@4>',
        'l<0.content@3>',
        'e<0.content@2>',
        'H<0.content@1>',
      ],
    ],
    ['{{ messages[0].content.strip() | indent(2, true) }}', ['  ', 'Hello World<0.content@1>']],
    ['{{ messages[0].content | capitalize }}', [' hello world <0.content@->']],
    ['{{ messages[0] }}', ["{'role': '", 'user<0.role@0>', "', 'content': '", ' Hello World <0.content@0>', "'}"]],
  ])('%s', (template, expected) => {
    expect(spans(template, { messages: hello })).toEqual(expected);
  });

  it('survives JSON, where only escaped characters lose their offset', () => {
    const call = { type: 'function', function: { name: 'say', arguments: { words: 'a"b\nc', n: new Float(2) } } };
    const messages: ChatMessage[] = [{ role: 'assistant', content: null, tool_calls: [call] }];
    expect(spans('{{ messages[0].tool_calls[0].function | tojson }}', { messages })).toEqual([
      '{"name": "',
      'say<0.tool_name@0>',
      '", "arguments": {"',
      'words<0.argument@0>',
      '": "',
      'a<0.argument@0>',
      '\\"<0.argument@->',
      'b<0.argument@2>',
      '\\n<0.argument@->',
      'c<0.argument@4>',
      '", "',
      'n<0.argument@0>',
      '": 2.0}}',
    ]);
  });

  it('tells parts, results, reasoning, tools and special tokens apart', () => {
    const messages: ChatMessage[] = [
      { role: 'user', content: [{ type: 'text', text: 'part' }] },
      { role: 'tool', content: 'result' },
      { role: 'assistant', content: 'c', reasoning_content: 'why' },
    ];
    const template =
      '{{ bos_token }}{{ tools[0].name }}{{ messages[0].content[0].text }}{{ messages[1].content }}{{ messages[2].reasoning_content }}{{ extra }}';
    expect(
      spans(template, {
        messages,
        tools: [{ name: 'tool' }],
        specialTokens: { bos_token: '<s>' },
        variables: { extra: 'x' },
      }),
    ).toEqual([
      '<s>',
      'tool<tools@0>',
      'part<0.part@0>',
      'result<1.result@0>',
      'why<2.reasoning_content@0>',
      'x<extra@0>',
    ]);
  });

  it('is one run for a message of a million characters', () => {
    const messages = [{ role: 'user', content: 'x'.repeat(1_000_000) }];
    expect(spans('{{ messages[0].content | trim }}', { messages })).toHaveLength(1);
  });
});

describe('a template that runs away is stopped', () => {
  const limits = { steps: 1000, characters: 10_000, depth: 20 };
  it.each([
    ['{% for i in range(99999) %}{% endfor %}'],
    ['{% for i in range(99) %}{% for j in range(99) %}{% endfor %}{% endfor %}'],
    ['{{ range(5000) | map("string") | list }}'],
    ["{{ 'a' * 100000 }}"],
    ["{{ '%100000d' % 1 }}"],
    ["{{ '{:100000}'.format(1) }}"],
    ["{{ 'a'.center(100000) }}"],
    ["{{ 'a' | indent(100000, true) }}"],
    ["{{ 'aaaaaaaaaa'.replace('a', 'b' * 5000) }}"],
    ['{{ [0] * 100000 }}'],
    ['{{ 9 ** 99999999 }}'],
    ['{{ [1] | tojson(indent=100000) }}'],
    ['{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}'],
    ['{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}'],
    ["{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}"],
  ])('%s', (template) => {
    const program = compileJinja(template);
    expect(() => program.render(new Map(), { now: () => new Date(0), limits })).toThrow(
      expect.objectContaining({ kind: 'limit' }),
    );
  });

  // With the limits that rows are rendered with: text that grows or is looked through again and again counts too.
  it.each([
    ["{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}"],
    [
      "{% set s = 'x' * 100000000 %}{% set ns = namespace(l=[]) %}{% for i in range(99999) %}{% set ns.l = ns.l + [s.upper()] %}{% endfor %}",
    ],
    ["{% set s = 'x' * 100000000 %}{% for i in range(99999) %}{{ 'y' in s }}{% endfor %}"],
    ["{% set s = 'x' * 100000000 %}{% for i in range(99999) %}{{ s | length }}{{ s[i] }}{% endfor %}"],
    ["{% set s = 'x' * 100000000 %}{% for c in s %}{% endfor %}"],
    ["{% set s = 'x' * 1000000 %}{% for i in range(99999) %}{{ s }}{% endfor %}"],
    ['{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}'],
    ['{% set ns = namespace(n=3) %}{% for i in range(999) %}{% set ns.n = ns.n * ns.n %}{% endfor %}'],
    ['{% set ns = namespace(l=[1]) %}{% for i in range(999) %}{% set ns.l = ns.l + ns.l %}{% endfor %}'],
    ['{% set ns = namespace(l=[1]) %}{% for i in range(9999) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}'],
    [`{{ ${'('.repeat(50_000)}1${')'.repeat(50_000)} }}`],
    [`${'{% if true %}'.repeat(20_000)}${'{% endif %}'.repeat(20_000)}`],
  ])('%#: with the limits that rows are rendered with', (template) => {
    expect(() => compileJinja(template).render(new Map(), { now: () => new Date(0) })).toThrow(
      expect.objectContaining({ kind: 'limit' }),
    );
  });

  it('and the next rendering starts afresh', () => {
    const program = compileJinja('{% for i in range(999) %}{% endfor %}ok');
    for (let i = 0; i < 3; i++) expect(program.render(new Map(), { now: () => new Date(0), limits }).text).toBe('ok');
  });
});

describe('errors', () => {
  it('of a template name the line', () => {
    expect(() => compileTemplate('a\n{% if %}')).toThrow(
      expect.objectContaining({ code: 'template-syntax', message: expect.stringContaining('line 2') }),
    );
    const failed = renderChat({ template: compileTemplate('a\nb\n{{ nothing.at.all }}'), messages: [] });
    expect(failed).toMatchObject({
      ok: false,
      issue: { code: 'template-failed', message: expect.stringContaining('line 3') },
    });
  });

  it('that the template raises keep its words', () => {
    const template = compileTemplate("{{ raise_exception('Roles must alternate') }}");
    expect(renderChat({ template, messages: [] })).toMatchObject({
      ok: false,
      issue: { code: 'template-refused', message: expect.stringContaining('Roles must alternate') },
    });
  });
});

test('the clock is given', () => {
  const template = compileTemplate("{{ strftime_now('%d %b %Y') }}");
  expect(renderChat({ template, messages: [], now: new Date('2024-02-29T23:59:59Z') })).toMatchObject({
    text: '29 Feb 2024',
  });
});

test('JSON keeps 1.0 apart from 1 and large integers exact', () => {
  expect(parseJson('[1, 1.0, -0, 1e2, 12345678901234567890]')).toEqual([
    1,
    new Float(1),
    0,
    new Float(100),
    12345678901234567890n,
  ]);
});
