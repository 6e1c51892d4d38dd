/** The SDK. Documents stand in `martlet/schema`, what strangers implement in `martlet/spec`, losses in `martlet/methods`. */
export { defineSource } from './core/define-source.ts';
export { MartletError } from './core/error.ts';
export { fingerprint } from './core/fingerprint.ts';
export { type Checked, formatIssue, type Issue } from './core/issue.ts';
export { defineStep, type RowStep, type StepDefinition, type WholeStep } from './data/steps/step.ts';
