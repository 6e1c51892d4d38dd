export { type ExportRequest, exportModel } from './export-model.ts';
