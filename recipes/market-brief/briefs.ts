import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type FactSheet, factSheets, factSheetText, figure, readPrices, type SourcedSheet } from './facts.ts';

/** The company that is never trained on; the recipe names it too. */
const heldOut = 'AAPL';
const instruction = 'Turn the facts into one paragraph of market news.';
const defaultRows = 240;

/** One paragraph in the house style. Every figure is copied from the sheet; what is said depends on the event. */
export function writeBrief({ sheet, kind }: Pick<SourcedSheet, 'sheet' | 'kind'>): string {
  const { symbol, month, event } = sheet;
  const plain = (key: Parameters<typeof figure>[1]): string => figure(sheet, key).replace('-', '');
  const move =
    sheet.direction === 'flat'
      ? `moved ${figure(sheet, 'change')} or ${figure(sheet, 'percent')}%`
      : `${sheet.direction === 'up' ? 'rose' : 'fell'} ${plain('change')} or ${plain('percent')}%`;
  return `${symbol} ${event} in ${month}, closing at ${plain('close')}. The stock ${move} from ${plain('previous')}${ending()}.`;

  function ending(): string {
    switch (kind) {
      case 'near low':
        return ` and its 12-month low is ${plain('low12')}`;
      case 'new low':
      case 'flat':
      case 'near high':
      case 'far from high':
        return ` and is ${plain('below_high')}% below its 12-month high`;
      case 'plain':
        return ` and its 12-month range is ${plain('low12')} to ${plain('high12')}`;
      default:
        return '';
    }
  }
}

export interface BriefRow {
  readonly messages: readonly { readonly role: 'system' | 'user' | 'assistant'; readonly content: string }[];
  readonly facts: FactSheet;
  readonly symbol: string;
  readonly origin: { readonly file: string; readonly line: number };
}

export function briefRow({ sheet, kind, line }: SourcedSheet): BriefRow {
  return {
    messages: [
      { role: 'system', content: instruction },
      { role: 'user', content: factSheetText(sheet) },
      { role: 'assistant', content: writeBrief({ sheet, kind }) },
    ],
    facts: sheet,
    symbol: sheet.symbol,
    origin: { file: 'vega-datasets/data/stocks.csv', line },
  };
}

/**
 * Writes one row a month and company as JSONL.
 * @param request.rows Most rows of the companies that are learned from; of the company held out there are a quarter as
 * many. Both are spread evenly over the months. Fewer rows, shorter training.
 * @returns rows written, in all and by company.
 */
export async function writeMarketBriefs(request: {
  readonly out: string;
  readonly rows?: number;
}): Promise<{ rows: number; bySymbol: Record<string, number> }> {
  const prices = new URL('../data/stocks.csv', import.meta.resolve('vega-datasets'));
  const sheets = factSheets(readPrices(await readFile(prices, 'utf8')));
  const { rows: wanted = defaultRows } = request;
  const [held, learned] = [sheets.filter(isHeldOut), sheets.filter((item) => !isHeldOut(item))];
  const rows = [...spread(learned, wanted), ...spread(held, Math.ceil(wanted / 4))].map(briefRow);
  await mkdir(dirname(request.out), { recursive: true });
  await writeFile(request.out, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const bySymbol: Record<string, number> = {};
  for (const row of rows) bySymbol[row.symbol] = (bySymbol[row.symbol] ?? 0) + 1;
  return { rows: rows.length, bySymbol };
}

function isHeldOut({ sheet }: SourcedSheet): boolean {
  return sheet.symbol === heldOut;
}

/** `count` items at even distances, or all of them. */
function spread<T>(items: readonly T[], count: number): T[] {
  const distance = Math.max(1, items.length / count);
  return items.filter((_, index) => Math.floor(index / distance) > Math.floor((index - 1) / distance));
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [out = 'briefs.jsonl', rows] = process.argv.slice(2);
  const result = await writeMarketBriefs({ out: resolve(out), ...(rows === undefined ? {} : { rows: Number(rows) }) });
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
