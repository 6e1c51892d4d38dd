import { randomStream } from '../../src/core/random.ts';

const pieces = [
  ' ',
  '  ',
  '\n',
  '\n\n',
  '\t',
  '0',
  '12',
  "'s",
  "'LL",
  'the',
  ' the',
  'é',
  'e\u0301',
  '中文',
  '😀',
  '👩‍👧',
  '.',
  '-',
  '_',
  '/',
  'ſ',
  '½',
  '<|im_end|>',
  '<s>',
  '\u00a0',
  'A',
  'ا',
];

/** Prose, code and numbers, then random neighbours of everything that is cut in a way of its own. */
export function mixedTexts(count: number): string[] {
  const random = randomStream(23);
  const mixed = Array.from({ length: count }, () =>
    Array.from({ length: 1 + random.below(12) }, () => pieces[random.below(pieces.length)]).join(''),
  );
  return [
    "Hello, it's a test. They've GONE — I'LL stay!",
    'def f(x):\n    return x + 1  # why\n\n\nclass A:\n\tpass\r\n',
    '{"close": 12.5, "month": "2001-02", "change": -0.031}',
    'price 1234.56, up 7.5% on 2024-05-01',
    ...mixed,
  ];
}
