/** Answers over OpenAI's API, and in batches, each on record. */
export { answerDigest, answerRows, type RowAnswer } from './answer-rows.ts';
export { answeredRows, type BatchRow, type BatchSettings, batchRow } from './batch-rows.ts';
export type { ServedBase } from './deployment.ts';
export { openBackend } from './open-backend.ts';
export { servedPrompts } from './served-prompts.ts';
export { type Serving, type ServingOptions, startServing } from './start-serving.ts';
