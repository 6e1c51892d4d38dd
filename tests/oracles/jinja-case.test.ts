import { expect, test } from 'vitest';
import { describeWithOracles } from '../support/oracle.ts';
import { compareTable } from './jinja-compare.ts';

/** Letters that have a case, but for those that Python's tables are too old to know. */
const letters = Array.from({ length: 0xa7c0 }, (_, code) => String.fromCharCode(code)).filter(
  (letter) =>
    /\p{Changes_When_Casemapped}|\p{Changes_When_Casefolded}/u.test(letter) &&
    !/[\u0264\u019b\u1c89\u1c8a]/.test(letter),
);
const sigmas = [
  'ΑΣ',
  'ΣΑΣ x',
  'aΣ',
  'Σ',
  "ΑΣ'Α",
  "Α'Σ",
  'Σ Σ',
  'xΣ.Σ',
  'ΑΣ́ ',
  '1Σ',
  'ΑΣ1',
  'İΣ',
  'ǆΣ ŉ',
  'a\u00adΣ',
  '𐐀Σ',
  'ΑΣ𐐀',
];

const methods = ['lower', 'upper', 'title', 'capitalize', 'swapcase', 'casefold', 'islower', 'isupper', 'istitle'];
const filters = ['lower', 'upper', 'title', 'capitalize'];

describeWithOracles('the case of letters', () => {
  test('is that of Python for every letter, alone and in a word', async () => {
    const each = (expression: string): string => `{% for w in words %}{{ ${expression} }}|{% endfor %}`;
    const templates = [
      ...methods.flatMap((name) => [each(`w.${name}()`), each(`('a' ~ w).${name}()`)]),
      ...filters.map((name) => each(`w | ${name}`)),
    ];
    expect(letters.length).toBeGreaterThan(2_000);
    const inputs = [JSON.stringify({ words: [...letters, ...sigmas] })];
    const { compared, differences } = await compareTable({ templates, inputs });
    expect(differences).toEqual([]);
    expect(compared).toBe(templates.length);
  });
});
