import { describe, expect, it } from 'vitest';
import { factsFromMessages, keyWords, listFacts } from './facts.ts';

describe('factsFromMessages', () => {
  const from = (content: unknown): unknown => factsFromMessages([{ role: 'user', content }]);

  it('finds the object in the last user message', () => {
    expect(
      factsFromMessages([
        { role: 'system', content: '{"close":1}' },
        { role: 'user', content: '{"close":2}' },
        { role: 'assistant', content: '{"close":3}' },
        { role: 'user', content: 'Write this up: {"close":4.50,"note":"a } in {text}"} Thanks.' },
      ]),
    ).toEqual({ close: 4.5, note: 'a } in {text}' });
    expect(from([{ type: 'text', text: '{"a":{"b":[1]}}' }])).toEqual({ a: { b: [1] } });
  });

  it('passes over braces that are no JSON', () => {
    expect(from('Fill {name} with {"a":1}')).toEqual({ a: 1 });
    for (const content of ['{', '{}', 'no facts', '{name}', '[1,2]', null, 7]) expect(from(content)).toBeUndefined();
  });
});

describe('listFacts', () => {
  it('gives each leaf its path, and figures and dates out of texts', () => {
    const facts = listFacts({ price: { close: '-1,234.5 USD' }, tags: ['up 5%', 'March 2010'], ok: true, none: null });
    expect(facts.map(({ path, number, percent, date }) => ({ path, number, percent, date }))).toEqual([
      { path: 'price.close', number: -1234.5, percent: null, date: null },
      { path: 'tags[0]', number: 5, percent: true, date: null },
      { path: 'tags[1]', number: null, percent: null, date: { year: 2010, month: 3 } },
      { path: 'ok', number: null, percent: null, date: null },
    ]);
  });

  it('reads keys in any style as words', () => {
    for (const key of ['belowHigh', 'below_high', 'below-high', 'Below High']) expect(keyWords(key)).toBe('below high');
    expect(keyWords('high12')).toBe('high 12');
  });
});
