import { readFile, writeFile } from 'node:fs/promises';
import { factSheets, figure, readPrices } from '../recipes/market-brief/facts.ts';

/**
 * Short rows of real share prices, about 70 tokens each with SmolLM2's template, only their messages: what every trainer
 * reads alike.
 */
export async function writeBenchRows({ file, rows }: { file: string; rows: number }): Promise<void> {
  const prices = new URL('../data/stocks.csv', import.meta.resolve('vega-datasets'));
  const sheets = factSheets(readPrices(await readFile(prices, 'utf8'))).slice(0, rows);
  if (sheets.length < rows) throw new Error(`there are ${sheets.length} months of prices, ${rows} rows were asked for`);
  const lines = sheets.map(({ sheet }) => {
    const { symbol, month, direction } = sheet;
    const [close, previous] = [figure(sheet, 'close'), figure(sheet, 'previous')];
    return JSON.stringify({
      messages: [
        { role: 'system', content: 'Write the news.' },
        { role: 'user', content: `${symbol} ${month}: ${close}, before ${previous}` },
        { role: 'assistant', content: `${symbol} closed ${direction} at ${close} in ${month}, from ${previous}.` },
      ],
    });
  });
  await writeFile(file, `${lines.join('\n')}\n`);
}

/** Asked one after the other; the first warms up. Each asks for more than the answer may hold. */
export const benchQuestions: readonly string[] = [
  'Tell me about the history of Rome.',
  'Explain in detail how a bicycle works.',
  'Write a long story about a swift that crosses the sea.',
  'Describe the water cycle step by step.',
  'List the planets and say something about each.',
];
