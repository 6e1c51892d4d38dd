import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { checkClaims, factsFromMessages, isGroundedBrief } from '../../src/grounding/index.ts';
import { recipe } from '../../src/schema/recipe.ts';
import { type BriefRow, writeMarketBriefs } from './briefs.ts';
import { eventKinds, factSheets, factSheetText, readPrices } from './facts.ts';

let folder: string;
let rows: BriefRow[];
let written: Awaited<ReturnType<typeof writeMarketBriefs>>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'briefs-'));
  const out = join(folder, 'briefs.jsonl');
  written = await writeMarketBriefs({ out, rows: 10_000 });
  rows = (await readFile(out, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as BriefRow);
});
afterAll(() => rm(folder, { recursive: true }));

describe('market briefs', () => {
  it('are all grounded in their facts, with at least five claims', () => {
    const poor = rows.filter(({ facts, messages }) => {
      const claims = checkClaims({ answer: messages[2]?.content ?? '', facts: { ...facts } });
      return claims.length < 5 || !isGroundedBrief(claims, { ...facts });
    });
    expect(poor).toEqual([]);
  });

  it('stop being grounded when any figure of the sheet is another', () => {
    for (const { facts, messages } of rows.filter((_, index) => index % 10 === 0)) {
      const wrong = { ...facts, close: facts.close + 0.01, change: facts.change + 0.01 };
      const claims = checkClaims({ answer: messages[2]?.content ?? '', facts: wrong });
      expect(claims.some((claim) => claim.verdict === 'contradicted')).toBe(true);
    }
  });

  it('stop being grounded when one digit is changed, or two figures are swapped', () => {
    // Another level may be just as true: a close that moved above 400 may have moved above 401.
    const chosen = rows.filter(({ facts }, index) => index % 12 === 0 && !/(?:above|below) \d/.test(facts.event));
    const survivors = chosen.flatMap(({ facts, messages }) => {
      const brief = messages[2]?.content ?? '';
      return [...digitChanges(brief), ...swaps(brief)].filter((changed) =>
        isGroundedBrief(checkClaims({ answer: changed, facts: { ...facts } }), { ...facts }),
      );
    });
    expect(survivors).toEqual([]);
  });

  it('are worded by what happened: at least ten kinds of month, also for the company held out', () => {
    const kind = ({ facts }: BriefRow): string => facts.event.replace(/ \d+/, '').replace('losses', 'gains');
    expect(new Set(rows.map(kind)).size).toBe(eventKinds.length);
    expect(new Set(rows.filter((row) => row.symbol === 'AAPL').map(kind)).size).toBeGreaterThanOrEqual(12);
  });

  it('carry the facts in the prompt and the line they came from', async () => {
    const csv = await readFile(new URL('../data/stocks.csv', import.meta.resolve('vega-datasets')), 'utf8');
    const lines = csv.split('\n');
    for (const { facts, messages, origin, symbol } of rows) {
      expect(factsFromMessages(messages)).toEqual(facts);
      const [name, , price] = lines[origin.line - 1]?.split(',') ?? [];
      expect([name, Number(price)]).toEqual([symbol, facts.close]);
    }
  });

  it('spread fewer rows evenly, and hold out a quarter as many', async () => {
    expect(written).toEqual({ rows: 505, bySymbol: { MSFT: 112, AMZN: 112, IBM: 112, GOOG: 57, AAPL: 112 } });
    const few = await writeMarketBriefs({ out: join(folder, 'few.jsonl'), rows: 100 });
    expect(few).toEqual({ rows: 125, bySymbol: { MSFT: 29, AMZN: 28, IBM: 29, GOOG: 14, AAPL: 25 } });
  });
});

describe('fact sheets', () => {
  const csv = (prices: readonly number[]): string =>
    [
      'symbol,date,price',
      ...prices.map(
        (price, index) =>
          `ABC,${['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'][index % 12]} 1 ${2000 + Math.floor(index / 12)},${price}`,
      ),
    ].join('\n');

  it('need twelve months, round once, and print every decimal', () => {
    const [first, ...others] = factSheets(readPrices(csv([50, 51, 52, 51, 50, 49, 48, 50, 52, 53, 51, 48.4])));
    expect(others).toEqual([]);
    expect(first).toEqual({
      line: 13,
      kind: 'biggest fall',
      sheet: {
        symbol: 'ABC',
        month: 'December 2000',
        close: 48.4,
        previous: 51,
        change: -2.6,
        percent: -5.1,
        direction: 'down',
        high12: 53,
        low12: 48,
        streak: -2,
        prior_streak: 0,
        below_high: 8.7,
        event: 'had its biggest fall in 12 months',
      },
    });
    expect(first && factSheetText(first.sheet)).toContain(
      '"close":48.40,"previous":51.00,"change":-2.60,"percent":-5.1',
    );
  });

  it('tell a reversal, the longest streak and a round number', () => {
    const event = (prices: readonly number[]): unknown => factSheets(readPrices(csv(prices))).at(-1)?.sheet.event;
    expect(event([50, 90, 52, 51, 50, 49, 48, 49, 50, 51, 52, 47.9])).toBe('hit a 12-month low');
    expect(event([50, 90, 52, 51, 50, 47, 48, 49, 50, 51, 52, 51.1])).toBe('ended 5 gains in a row');
    expect(event([50, 90, 52, 55, 50, 47, 52, 49, 50, 51, 52, 53])).toBe('reached its longest streak of 4 gains');
    expect(event([50, 90, 52, 51, 62, 47, 52, 49, 57, 51, 58, 61])).toBe('moved back above 60');
    expect(event([50, 51, 50, 51, 50, 51, 50, 51, 50, 51, 50, 50.1])).toBe('was little changed');
  });

  it('name the line that is no price', () => {
    expect(() => readPrices('symbol,date,price\nABC,Jan 1 2000,1\nABC,Jan 2000,1')).toThrow('stocks.csv:3');
  });
});

it('the recipe is one', async () => {
  const text = await readFile(new URL('recipe.yaml', import.meta.url), 'utf8');
  expect(recipe.safeParse(parse(text)).error).toBeUndefined();
});

/** The text once for every digit, that digit changed. */
function digitChanges(text: string): string[] {
  return [...text.matchAll(/\d/g)].map(
    ({ 0: digit, index }) => text.slice(0, index) + ((Number(digit) + 1 + (index % 8)) % 10) + text.slice(index + 1),
  );
}

/** The text once for every two figures of unequal value, those two swapped. */
function swaps(text: string): string[] {
  const figures = [...text.matchAll(/\d+(?:\.\d+)?(?!\d|-month)/g)];
  return figures.flatMap((a, index) =>
    figures
      .slice(index + 1)
      .filter((b) => Number(a[0]) !== Number(b[0]))
      .map(
        (b) =>
          text.slice(0, a.index) +
          b[0] +
          text.slice(a.index + a[0].length, b.index) +
          a[0] +
          text.slice(b.index + b[0].length),
      ),
  );
}
