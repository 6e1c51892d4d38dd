import { readFile, rm, writeFile } from 'node:fs/promises';
import { writeMarketBriefs } from '../recipes/market-brief/briefs.ts';

/** The first rows of the market-brief recipe, only their messages: what every trainer reads alike. */
export async function writeBenchRows({ file, rows }: { file: string; rows: number }): Promise<void> {
  const all = `${file}.all`;
  await writeMarketBriefs({ out: all });
  const lines = (await readFile(all, 'utf8')).trimEnd().split('\n').slice(0, rows);
  if (lines.length < rows) throw new Error(`the recipe has ${lines.length} rows, ${rows} were asked for`);
  const plain = lines.map((line) => JSON.stringify({ messages: (JSON.parse(line) as { messages: unknown }).messages }));
  await writeFile(file, `${plain.join('\n')}\n`);
  await rm(all);
}

/** Asked one after the other; the first warms up. Each asks for more than the answer may hold. */
export const benchQuestions: readonly string[] = [
  'Tell me about the history of Rome.',
  'Explain in detail how a bicycle works.',
  'Write a long story about a swift that crosses the sea.',
  'Describe the water cycle step by step.',
  'List the planets and say something about each.',
];
