export { type ExportRequest, exportModel } from './export-model.ts';
export { type ExportInputs, exportStage } from './export-stage.ts';
