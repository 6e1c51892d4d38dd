import { join } from 'node:path';
import { MartletError } from '../../core/error.ts';
import type { Sample } from '../../schema/sample.ts';
import { readRawRows } from '../rows/raw-rows.ts';

/**
 * The samples of a dataset in their order. They are taken as they stand: the schema held when they were written, and
 * lineage finds what was changed since.
 * @throws MartletError `dataset-unreadable` for a line that is not JSON.
 */
export async function* readSamples(
  datasetFolder: string,
  { split, signal }: { readonly split?: Sample['split']; readonly signal?: AbortSignal | undefined } = {},
): AsyncGenerator<Sample> {
  const file = join(datasetFolder, 'rows.jsonl');
  for await (const raw of readRawRows(file, { signal })) {
    let sample: Sample;
    try {
      sample = JSON.parse(raw.bytes?.toString('utf8') ?? '') as Sample;
    } catch (cause) {
      throw new MartletError('dataset-unreadable', `${file}:${raw.line} is not a row of a dataset`, {
        cause,
        hint: 'The file was changed or cut; build the dataset again.',
      });
    }
    if (split === undefined || sample.split === split) yield sample;
  }
}
