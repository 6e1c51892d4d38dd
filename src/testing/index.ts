/** Small true things to test against: a random model, a tokenizer, an engine session without a process. */
export * from './fake-engine.ts';
export * from './fake-session.ts';
export * from './fake-train-engine.ts';
export * from './prompt-engine-contract.ts';
export * from './test-plan.ts';
export * from './tiny-model.ts';
export * from './tiny-tokenizer.ts';
export * from './train-engine-contract.ts';
