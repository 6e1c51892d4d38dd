export { type BuildDatasetRequest, type BuiltDataset, buildDataset } from './build-dataset.ts';
export { countRows, type RowCounts } from './count-rows.ts';
export { dataStage } from './data-stage.ts';
export { type InspectRequest, inspectSources, type SourceInspection } from './inspect-sources.ts';
export { type ReadSourcesRequest, type RowOutcome, readSources } from './read-sources.ts';
export { type DataValues, type ResolveFeedback, sourceInputs } from './sources.ts';
