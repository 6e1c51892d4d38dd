import type { FetchDataset } from '../store/rows/open-parts.ts';
import type { HubDatasetRequest } from './fetch-hub-dataset.ts';

/** Brings data sets of hubs to this machine; what loads slowly is loaded when the first is wanted. */
export function datasetFetcher(
  request: Pick<HubDatasetRequest, 'home' | 'env' | 'log' | 'offline' | 'signal' | 'onProgress'>,
): FetchDataset {
  const { home, env, log, offline, signal, onProgress } = request;
  return async (dataset) => {
    const { fetchHubDataset } = await import('./fetch-hub-dataset.ts');
    return fetchHubDataset({ ...dataset, home, env, log, offline, signal, onProgress });
  };
}
