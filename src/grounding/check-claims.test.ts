import { describe, expect, it } from 'vitest';
import { checkClaims, isGroundedBrief } from './check-claims.ts';
import type { Facts } from './facts.ts';
import { type GroundingProfile, marketBriefProfile } from './profile.ts';

const up: Facts = {
  symbol: 'AAPL',
  month: 'March 2010',
  close: 223.02,
  previous: 204.62,
  change: 18.4,
  percent: 9,
  direction: 'up',
  high12: 223.02,
  low12: 105.12,
  streak: 2,
  prior_streak: 0,
  below_high: 0,
  event: 'new high',
};
const down: Facts = {
  symbol: 'GOOG',
  month: 'May 2006',
  close: 371.82,
  previous: 417.94,
  change: -46.12,
  percent: -11,
  direction: 'down',
  high12: 432.66,
  low12: 277.27,
  streak: -1,
  prior_streak: 3,
  below_high: 14.1,
  event: 'biggest fall',
};
const flat: Facts = {
  symbol: 'IBM',
  month: 'July 2003',
  close: 74.12,
  previous: 74.28,
  change: -0.16,
  percent: -0.2,
  direction: 'flat',
  high12: 80.48,
  low12: 58.01,
  streak: 0,
  prior_streak: -3,
  below_high: 7.9,
  event: 'flat',
};

/** `+` supported, `x` contradicted, `?` not found, each with its words: `+AAPL x204.62`. */
function verdicts(answer: string, facts: Facts): string {
  const signs = { supported: '+', contradicted: 'x', 'not-found': '?' };
  return checkClaims({ answer, facts })
    .map((claim) => signs[claim.verdict] + claim.text)
    .join(' ');
}

const cases: readonly (readonly [string, Facts, string, string])[] = [
  [
    'a plain brief',
    up,
    'AAPL closed March 2010 at 223.02, up 18.40 (9.0%) from 204.62.',
    '+AAPL +March 2010 +223.02 +up +18.40 +9.0% +204.62',
  ],
  [
    'another name, currency, rounding, words for percent',
    up,
    'Apple shares finished March at $223, a gain of $18.40, or 9 percent.',
    '+Apple +March +$223 +gain +$18.40 +9 percent',
  ],
  ['a figure cut off instead of rounded', up, 'AAPL rose from 204 to 223.', '+AAPL +rose x204 +223'],
  ['one wrong digit', up, 'AAPL closed at 223.03.', '+AAPL x223.03'],
  ['more precision than the facts have', up, 'AAPL closed at 223.021.', '+AAPL x223.021'],
  ['swapped figures', up, 'AAPL closed at 204.62, up 18.40 from 223.02.', '+AAPL x204.62 +up +18.40 x223.02'],
  [
    'swapped by from and to',
    up,
    'AAPL went from 223.02 to 204.62.',
    '+AAPL x223.02 ?204.62'.replace('?204.62', '+204.62'),
  ],
  ['the wrong direction', up, 'AAPL fell 9.0% to 223.02.', '+AAPL xfell +9.0% +223.02'],
  ['the wrong direction as a noun', down, 'GOOG closed at 371.82, a gain of 46.12.', '+GOOG +371.82 xgain +46.12'],
  ['the wrong sign', down, 'The change was +46.12 (-11.0%).', 'x+46.12 +-11.0%'],
  ['a typographic minus', down, 'The change was \u221246.12.', '+\u221246.12'],
  ['absolute figure as a percentage', up, 'AAPL rose 18.40%.', '+AAPL +rose x18.40%'],
  ['percentage as an absolute figure', up, 'AAPL gained 9.0 points.', '+AAPL +gained x9.0'],
  ['an invented month', up, 'AAPL closed April 2010 at 223.02.', '+AAPL xApril 2010 +223.02'],
  ['an invented year', up, 'AAPL closed at 223.02 in 2009.', '+AAPL +223.02 x2009'],
  [
    'other writings of the month',
    up,
    'In 2010-03 (03/2010, Mar. 2010, Q1 2010) AAPL gained.',
    '+2010-03 +03/2010 +Mar. 2010 +Q1 2010 +AAPL +gained',
  ],
  [
    'a day the facts do not know',
    up,
    'On March 31, 2010, a Wednesday, AAPL gained.',
    '?March 31, 2010 ?Wednesday +AAPL +gained',
  ],
  ['the month before', up, 'AAPL rose from 204.62 in February 2010.', '+AAPL +rose +204.62 +February 2010'],
  ['a year in the place of a price', up, 'AAPL rose 18.40 from 2010.', '+AAPL +rose +18.40 ?2010'],
  ['a company of the same kind', up, 'Microsoft closed at 223.02.', 'xMicrosoft +223.02'],
  ['a company out of nowhere', up, 'Tesla rose and so did the S&P 500.', '?Tesla +rose ?S&P 500'],
  ['a new high', up, 'AAPL set a new 12-month high of 223.02.', '+AAPL +a new 12-month high +223.02'],
  ['52 weeks are 12 months', up, 'AAPL hit a 52-week high.', '+AAPL +a 52-week high'],
  ['6 months are not', up, 'AAPL hit a 6-month high.', '+AAPL ?a 6-month high'],
  ['a record is more than the facts can bear', up, 'AAPL hit a record high.', '+AAPL ?a record high'],
  ['a new high that is none', down, 'GOOG reached a new high.', '+GOOG xa new high'],
  ['a new low that is none', up, 'AAPL sank to a 12-month low.', '+AAPL xsank xa 12-month low'],
  ['no new high', down, 'GOOG set no new high.', '+GOOG xnew high'.replace('xnew', '+new')],
  ['a high that is only referred to', down, 'It is 14.1% below its 12-month high of 432.66.', '+14.1% +432.66'],
  ['a wrong distance', down, 'It is 12.0% below its high of 432.66.', 'x12.0% +432.66'],
  [
    'a distance that follows',
    down,
    'It is 60.84 below its high and 34.1% above its low of 277.27.',
    '+60.84 +34.1% +277.27',
  ],
  ['within', down, 'It is within 15% of its 12-month high, or within 13% of its high.', '+15% x13%'],
  ['high and low swapped', down, 'Its high is 277.27 and its low is 432.66.', 'x277.27 x432.66'],
  ['the range', down, 'Its 12-month range is 277.27 to 432.66.', '+277.27 +432.66'],
  ['a range in passing', up, 'AAPL left its 12-month range in March, closing at 223.02.', '+AAPL +March +223.02'],
  ['the range reversed', down, 'It traded between 432.66 and 277.27.', 'x432.66 x277.27'],
  ['a streak in words', up, 'It was the second straight gain.', '+second +gain'],
  ['a streak too long', up, 'It was the third consecutive monthly rise, a streak of 3.', 'xthird +rise x3'],
  ['a streak that ended', down, 'GOOG snapped a three-month winning streak.', '+GOOG +three +winning'],
  ['a streak that ended, without an article', down, 'GOOG ended 3 gains in a row.', '+GOOG +3 +gains'],
  ['a streak that ended, the other way', down, 'GOOG ended a run of 3 losses.', '+GOOG +3 xlosses'],
  ['a streak that ended, wrong length', down, 'GOOG fell after 4 straight gains.', '+GOOG +fell x4 +gains'],
  ['after a move of this month', down, 'GOOG stood at 371.82 after falling 11.0%.', '+GOOG +371.82 +falling +11.0%'],
  ['after a move of the month before', down, 'GOOG dropped after rising in April.', '+GOOG +dropped +rising +April'],
  ['negation', up, 'AAPL did not fall.', '+AAPL +fall'],
  ['negation of what happened', up, "AAPL didn't rise.", '+AAPL xrise'],
  ['a level', up, 'AAPL rose above 220.', '+AAPL +rose +220'],
  ['a level not reached', up, 'AAPL rose above 230.', '+AAPL +rose x230'],
  ['a level crossed', up, 'AAPL moved back above 210.', '+AAPL +210'],
  ['a level long crossed', up, 'AAPL moved back above 200.', '+AAPL x200'],
  [
    'about, nearly, more than',
    up,
    'AAPL gained about 9%, more than 18 dollars, to nearly 224.',
    '+AAPL +gained +9% +18 dollars +224',
  ],
  ['about, but wrong', up, 'AAPL closed at around 210.', '+AAPL x210'],
  ['doubled', up, 'AAPL has more than doubled from its low.', '+AAPL +doubled'],
  ['doubled, but wrong', up, 'AAPL doubled in March.', '+AAPL ?doubled +March'],
  [
    'biggest, in the facts',
    down,
    'It was the biggest fall of the past 12 months.',
    '+biggest fall of the past 12 months',
  ],
  ['biggest, not in the facts', up, 'It was the biggest gain in 12 months.', '?biggest gain in 12 months'],
  ['flat', flat, 'IBM was little changed at 74.12 against 74.28.', '+IBM +little changed +74.12 +74.28'],
  ['flat is not unchanged', flat, 'IBM was unchanged at 74.12.', '+IBM xunchanged +74.12'],
  ['a small move by its sign', flat, 'IBM slipped 0.16 or 0.2%, it did not rise.', '+IBM +slipped +0.16 +0.2% +rise'],
  ['flat where it moved', up, 'AAPL held steady at 223.02.', '+AAPL xheld steady +223.02'],
  ['what the facts do not speak of', up, 'Revenue was $3.2 billion and margins were 12%.', '?$3.2 billion ?12%'],
  ['up that is no direction', up, 'AAPL ended up at 223.02; analysts made up stories.', '+AAPL +223.02'],
  ['a list', up, '- Close: 223.02\n- Previous close: 204.62\n- Change: 18.4\n- Streak: 5', '+223.02 +204.62 +18.4 x5'],
  [
    'figures that only look like one of the facts',
    { ...up, premium: 0.81, event: 'set a 12-month high' },
    '2 analysts and 12 traders with 9 screens and 1 flag cheered.',
    '?2 ?12 ?9 ?1',
  ],
  ['names line by line', up, 'AAPL\nAAPL\nAAPL (AAPL)', '+AAPL +AAPL +AAPL +AAPL'],
  ['nothing to check', up, 'The market is a place of hope.', ''],
];

describe('checkClaims', () => {
  it.each(cases)('%s', (_, facts, answer, expected) => {
    expect(verdicts(answer, facts)).toBe(expected);
  });

  it('gives kinds, offsets and the fact that decides', () => {
    const answer = 'AAPL fell 9.0% in March.';
    const claims = checkClaims({ answer, facts: up });
    expect(claims.map(({ kind, fact }) => [kind, fact])).toEqual([
      ['name', 'symbol'],
      ['direction', 'direction'],
      ['percentage', 'percent'],
      ['date', 'month'],
    ]);
    for (const claim of claims) expect(answer.slice(claim.start, claim.end)).toBe(claim.text);
    expect(claims[1]?.reason).toBe('"fell" is wrong. The facts give direction as up.');
  });

  it('reads facts of any shape, by path', () => {
    const facts = { price: { close: '$1,234.50', previousClose: '$1,200.00' }, asOf: '2024-02-29', ticker: 'XYZ' };
    const claims = checkClaims({ answer: 'XYZ closed at 1,234.50 on 29 February 2024, up 34.50 or 2.9%.', facts });
    expect(claims.map(({ verdict, fact }) => [verdict, fact])).toEqual([
      ['supported', 'ticker'],
      ['supported', 'price.close'],
      ['supported', 'asOf'],
      ['supported', 'price.close, price.previousClose'],
      ['supported', 'price.close, price.previousClose'],
      ['supported', 'price.close, price.previousClose'],
    ]);
  });

  it('matches figures without a known subject by value', () => {
    const facts = { revenue: 1_234_567, employees: 5200, founded: '1999-04-01', city: 'Oslo', marginPercent: 12 };
    const answer =
      'The Oslo firm, founded in April 1999, has 5,200 staff, revenue of $1.23 million, and margins of 12%, not 13%.';
    expect(verdicts(answer, facts)).toBe('+Oslo +April 1999 +5,200 +$1.23 million +12% ?13%');
  });

  it('takes another profile for another kind of text', () => {
    const profile: GroundingProfile = {
      ...marketBriefProfile,
      name: 'earnings',
      concepts: [
        { id: 'revenue', unit: 'amount', key: /^revenue$/u },
        { id: 'net income', unit: 'amount', key: /^net income$/u },
      ],
      cues: [
        { concept: 'revenue', of: 'amount', before: /\b(?:revenue|sales)\b[^N;]*$/u },
        { concept: 'net income', of: 'amount', before: /\b(?:net income|profit|earned)\b[^N;]*$/u },
        { concept: 'margin', of: 'percent', before: /\bmargin (?:of|was) $/u },
      ],
      formulas: [
        { concept: 'margin', of: ['net income', 'revenue'], value: (income, revenue) => (income / revenue) * 100 },
      ],
    };
    const facts = { revenue: 4_210_000_000, netIncome: 512_000_000 };
    const read = (answer: string): string =>
      checkClaims({ answer, facts, profile })
        .map(({ verdict, text }) => `${verdict} ${text}`)
        .join(', ');
    expect(read('Sales were $4.21 billion, it earned 512 million, a margin of 12.2%.')).toBe(
      'supported $4.21 billion, supported 512 million, supported 12.2%',
    );
    expect(read('Sales were $512 million, a margin of 13%.')).toBe('contradicted $512 million, contradicted 13%');
  });

  it('keeps the companies of one sheet apart', () => {
    const facts = {
      companies: [
        { symbol: 'AAPL', close: 10.5, previous: 10, change: 0.5 },
        { symbol: 'MSFT', close: 20, previous: 21, change: -1 },
      ],
    };
    expect(verdicts('AAPL rose 0.50 to 10.50. MSFT fell 1.00 to 20.00.', facts)).toBe(
      '+AAPL +rose +0.50 +10.50 +MSFT +fell +1.00 +20.00',
    );
    expect(verdicts('AAPL closed at 20.00, down 1.00.', facts)).toBe('+AAPL x20.00 xdown x1.00');
  });

  it('does not choke on hostile text', () => {
    const answer = `${'up '.repeat(1000)}${'1,'.repeat(1000)}${'A'.repeat(1000)} ${'a high of '.repeat(300)}`;
    const began = performance.now();
    expect(checkClaims({ answer, facts: up }).length).toBeGreaterThan(0);
    expect(performance.now() - began).toBeLessThan(5000);
  });
});

describe('isGroundedBrief', () => {
  const grounded = (answer: string): boolean => isGroundedBrief(checkClaims({ answer, facts: up }), up);

  it('wants close, change and direction, three claims, and all of them supported', () => {
    expect(grounded('AAPL rose 9.0% to 223.02.')).toBe(true);
    expect(grounded('AAPL rose 18.40 to 223.02.')).toBe(true);
    expect(grounded('AAPL rose to 223.02 in March.')).toBe(false);
    expect(grounded('AAPL rose 9.0% in March.')).toBe(false);
    expect(grounded('AAPL closed at 223.02, a change of 9.0%.')).toBe(false);
    expect(grounded('AAPL rose 9.0% to 223.02 in April.')).toBe(false);
    expect(grounded('AAPL rose 9.0% to 223.02 on strong iPhone sales of 8 million.')).toBe(false);
    expect(grounded('')).toBe(false);
  });
});
