import { join } from 'node:path';
import { lendingShare } from '../store/dataset/disk-budget.ts';
import type { FetchDataset } from '../store/rows/open-parts.ts';
import type { HubDatasetRequest } from './fetch-hub-dataset.ts';
import type { LendingRoom } from './lending-room.ts';

/** Brings data sets of hubs to this machine, or lends their files; what loads slowly is loaded when the first is wanted. */
export function datasetFetcher(
  request: Pick<HubDatasetRequest, 'home' | 'env' | 'log' | 'offline' | 'signal' | 'onProgress'>,
): FetchDataset {
  const { home, env, log, offline, signal, onProgress } = request;
  const common = { home, env, log, offline, signal, onProgress };
  let room: LendingRoom | undefined;
  return async (dataset, { lendWithin } = {}) => {
    const { fetchHubDataset, lendHubDataset } = await import('./fetch-hub-dataset.ts');
    if (lendWithin === undefined)
      return (await fetchHubDataset({ ...dataset, ...common })).map((file) => ({ file, bytes: null }));
    const { openLendingRoom } = await import('./lending-room.ts');
    room ??= openLendingRoom({ folder: join(home, 'datasets', '.lent'), bytes: lendingShare(lendWithin) });
    return lendHubDataset({ ...dataset, ...common }, room);
  };
}
