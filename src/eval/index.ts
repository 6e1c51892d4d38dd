export { type EvalInputs, evalStage } from './eval-stage.ts';
export { type EvaluateRunRequest, evaluateRun, promptMessages, scorersFor, spreadEvenly } from './evaluate.ts';
export { bootstrapMean, bootstrapRatio, perplexity, wilsonShare } from './metrics.ts';
export { reportPage } from './report-page.ts';
export { terminalReport } from './report-terminal.ts';
