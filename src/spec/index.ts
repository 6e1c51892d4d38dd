/** What strangers implement: an engine that trains, one that answers, a scorer, a tokenizer. Types only. */
export type * from './engine.ts';
export type * from './scorer.ts';
export type * from './tokenizer.ts';
export type * from './train-engine.ts';
