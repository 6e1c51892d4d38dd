import { martletHome } from '../envs/home.ts';
import { datasetFetcher } from '../models/dataset-fetcher.ts';
import { readingWithin } from '../store/dataset/disk-budget.ts';
import type { CliContext } from './context.ts';
import { storeRoot } from './store-root.ts';

interface SourceReadingOptions {
  /** Nothing is fetched, and nothing said. */
  readonly offline?: boolean;
  /** `execution.diskGiB` of the recipe whose sources are read. */
  readonly diskGiB?: number | null;
}

/**
 * What reading sources needs beside what the recipe says: the day, where feedback stands, and how a data set is fetched.
 */
export function sourceReading(context: CliContext, { offline = false, diskGiB = null }: SourceReadingOptions = {}) {
  const { env, signal } = context;
  const root = storeRoot(context);
  const log = (line: string): void => {
    if (!offline) context.err(`${line}\n`);
  };
  return {
    today: context.now().toISOString().slice(0, 10),
    resolveFeedback: async (address: string): Promise<string> => {
      const [{ openStore }, { feedbackRows }] = await Promise.all([
        import('../store/open-store.ts'),
        import('../store/dataset/feedback-rows.ts'),
      ]);
      return feedbackRows(await openStore({ root, clock: context.now, who: '' }), address);
    },
    fetchDataset: datasetFetcher({ home: martletHome(env), env, offline, log, signal }),
    ...readingWithin(diskGiB),
    signal,
  };
}
