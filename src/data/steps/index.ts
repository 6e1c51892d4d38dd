import { clean } from './clean.ts';
import { contamination } from './contamination.ts';
import { duplicates } from './duplicates.ts';
import { filter } from './filter.ts';
import { language } from './language.ts';
import { length } from './length.ts';
import { map } from './map.ts';
import { nearDuplicates } from './near-duplicates.ts';
import { personal } from './personal.ts';
import { sample } from './sample.ts';
import { selfCognition } from './self-cognition.ts';
import { shuffle } from './shuffle.ts';

/** Every step that a recipe may name; their options stand in `schema/steps.ts`. */
export const steps = [
  map,
  filter,
  clean,
  duplicates,
  nearDuplicates,
  length,
  language,
  personal,
  contamination,
  sample,
  shuffle,
  selfCognition,
] as const;
