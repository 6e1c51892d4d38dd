/** What became of a row. Rows in = the sum of rows out by fate. */
export const fates = [
  'train',
  'heldout',
  'filtered',
  'duplicate',
  'contaminated',
  'limited',
  'invalid',
  'embargoed',
] as const;

/** Fates of rows that a recipe takes: what `data.budget.dropped` is a share of. The others are left out as it asks. */
export const takenFates = ['train', 'heldout', 'duplicate', 'embargoed', 'invalid'] as const;

export type Fate = (typeof fates)[number];
