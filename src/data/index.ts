export { type BuildDatasetRequest, type BuiltDataset, buildDataset } from './build-dataset.ts';
export { countRows, type RowCounts } from './count-rows.ts';
export { readSamples } from './read-samples.ts';
export { type ReadSourcesRequest, type RowOutcome, readSources } from './read-sources.ts';
export { type DataValues, type ResolveFeedback, sourceInputs } from './sources.ts';
