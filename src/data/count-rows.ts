import { stat } from 'node:fs/promises';
import { type ReadSourcesRequest, readOpenedSources } from './read-sources.ts';
import { openSources } from './sources.ts';

export interface RowCounts {
  readonly train: number;
  readonly heldout: number;
  /** False when only the first rows were read and the rest was judged by its size. */
  readonly exact: boolean;
}

/**
 * Facts for a plan: reads every row up to `readBytes` (64 MiB: about a second), and beyond that judges by size.
 * @throws as `readSources` does, for sources that cannot be read.
 */
export async function countRows(request: ReadSourcesRequest & { readonly readBytes?: number }): Promise<RowCounts> {
  const sources = await openSources(request);
  const sizes = await Promise.all(sources.map(async ({ file }) => (await stat(file)).size));
  const share = Math.min(1, (request.readBytes ?? 64 * 2 ** 20) / sizes.reduce((sum, size) => sum + size, 0));
  const counts = new Map<string, { train: number; heldout: number; full: boolean }>();
  for await (const { source, fate } of readOpenedSources(sources, { ...request, share })) {
    const count = counts.get(source) ?? { train: 0, heldout: 0, full: false };
    counts.set(source, count);
    if (fate === 'train' || fate === 'heldout') count[fate]++;
    // A source that has reached its limit gives no more rows, however long it is.
    if (fate === 'limited') count.full = true;
  }
  const total = (side: 'train' | 'heldout'): number =>
    Math.round([...counts.values()].reduce((sum, count) => sum + (count.full ? count[side] : count[side] / share), 0));
  return { train: total('train'), heldout: total('heldout'), exact: share === 1 };
}
