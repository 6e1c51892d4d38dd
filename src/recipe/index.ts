/** From what a person writes to what is done: a recipe is read, checked, and resolved with facts into a plan. */
export { type CheckRequest, checkRecipe, type ReadRecipe } from './check-recipe.ts';
export { learnIssues } from './checks/learn-checks.ts';
export { embeddedArchitectures, isEmbeddedArchitecture } from './derive.ts';
export type { Facts } from './facts.ts';
export { documentJsonSchema, recipeJsonSchema, type SchemaNode } from './json-schema.ts';
export { peakBytes, savesActivations, trainableParameters } from './memory.ts';
export { type Origins, type Path, type Place, type Places, placeOf } from './places.ts';
export { countSteps, flopsPerToken } from './predict.ts';
export { type ReadRequest, readRecipe } from './read-recipe.ts';
export { type ResolveRequest, resolvePlan } from './resolve-plan.ts';
