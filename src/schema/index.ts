/** Every document, as a zod schema and as a type of the same name in capitals. */
export * from './audit.ts';
export * from './checkpoint.ts';
export * from './common.ts';
export * from './dataset.ts';
export * from './deployment.ts';
export * from './event.ts';
export * from './fates.ts';
export * from './lineage.ts';
export * from './model.ts';
export * from './plan.ts';
export * from './recipe.ts';
export * from './report.ts';
export * from './sample.ts';
export * from './shards.ts';
