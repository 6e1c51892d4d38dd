import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { DataValues, SourceValues } from './opened-source.ts';
import { type ReadSourcesRequest, type RowOutcome, readSources } from './read-sources.ts';

/** A folder for the files of one test file. */
export function testFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'martlet-data-'));
  return {
    folder,
    remove: () => rmSync(folder, { recursive: true }),
    /** One line a row: texts as they stand, anything else as JSON. */
    write(name: string, rows: readonly unknown[] | string): string {
      const file = join(folder, name);
      const text =
        typeof rows === 'string' ? rows : rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row)));
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, typeof text === 'string' ? text : `${text.join('\n')}\n`);
      return file;
    },
  };
}

export const source = (from: string, more: Partial<SourceValues> = {}): SourceValues => ({
  from,
  format: 'auto',
  columns: null,
  media: null,
  query: null,
  textRows: 'file',
  sample: null,
  weight: null,
  options: null,
  limit: null,
  madeBy: null,
  licence: null,
  ...more,
});

export const dataValues = (sources: readonly SourceValues[], more: Partial<DataValues> = {}): DataValues => ({
  sources: [...sources],
  steps: [],
  mix: 'concat',
  mixStop: 'first-exhausted',
  seed: 42,
  maxRowMiB: 64,
  turns: 'keep',
  split: { by: null, heldOut: null, share: 0 },
  budget: { dropped: 0, truncated: 0 },
  ...more,
});

export const request = (values: DataValues, more: Partial<ReadSourcesRequest> = {}): ReadSourcesRequest => ({
  values,
  today: '2026-11-23',
  ...more,
});

export const outcomes = (values: DataValues, more: Partial<ReadSourcesRequest> = {}): Promise<RowOutcome[]> =>
  collect(readSources(request(values, more)));

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** A small row that can be trained on. */
export const chat = (question: string, answer = `answer to ${question}`, more: object = {}) => ({
  messages: [
    { role: 'user', content: question },
    { role: 'assistant', content: answer },
  ],
  ...more,
});

export const user = (content: string) => ({ role: 'user', content });
export const assistant = (content: string | null, more: object = {}) => ({ role: 'assistant', content, ...more });
export const call = (name: string, given: unknown, id?: string) => ({
  ...(id && { id }),
  type: 'function',
  function: { name, arguments: given },
});

/** Reads one row at a time, each in a file of its own. */
export function oneRowReader(files: Pick<ReturnType<typeof testFolder>, 'write'>) {
  let count = 0;
  return async (row: unknown, format: SourceValues['format'] = 'auto'): Promise<RowOutcome> => {
    const file = files.write(`one-${count++}.jsonl`, [row]);
    const [outcome] = await outcomes(dataValues([source(file, { format })]));
    if (!outcome) throw new Error('no outcome');
    return outcome;
  };
}
