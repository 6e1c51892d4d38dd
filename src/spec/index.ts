/** What strangers implement: an engine that trains, one that answers, a scorer, a tokenizer, a source of rows. Types only. */
export type * from './engine.ts';
export type * from './prompt-engine.ts';
export type * from './scorer.ts';
export type * from './source.ts';
export type * from './tokenizer.ts';
export type * from './train-engine.ts';
