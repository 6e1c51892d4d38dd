export { datasetRows, madeRows, type SourceAccess } from './build/streamed/derived-rows.ts';
export { type BuildDatasetRequest, type BuiltDataset, buildDataset } from './build-dataset.ts';
export { countRows, type RowCounts } from './count-rows.ts';
export { dataStage, sourceAccess } from './data-stage.ts';
export { type InspectRequest, inspectSources, type SourceInspection } from './inspect-sources.ts';
export {
  type DatasetDiff,
  diffDatasets,
  isSource,
  ledgerRows,
  parsePlace,
  placeOf,
  type RowPlace,
  type RowStory,
  readDataset,
  stepLabels,
  storiesOf,
} from './ledger.ts';
export { ledgerPage } from './ledger-page.ts';
export type { DataValues } from './opened-source.ts';
export {
  type ReadSourcesRequest,
  type RowOutcome,
  type RowReading,
  readQuestions,
  readSources,
} from './read-sources.ts';
export { type ResolveFeedback, sourceInputs, sourcesFingerprint } from './sources.ts';
export { defineStep, type RowStep, type StepDefinition, type WholeStep } from './steps/step.ts';
