import { nearestName } from '../core/nearest.ts';
import { type StepName, stepOptions } from '../schema/steps.ts';

/** What others call the steps of data, in lower case without dashes and underscores. */
const called: Readonly<Partial<Record<StepName, readonly string[]>>> = {
  map: ['rename', 'set', 'transform', 'addcolumn', 'removecolumns', 'renamecolumns', 'selectcolumns'],
  filter: ['where', 'select', 'keep', 'drop'],
  clean: ['normalize', 'normalise', 'cleantext', 'fixencoding', 'ftfy', 'striphtml'],
  duplicates: [
    ...['dedup', 'dedupe', 'deduplicate', 'deduplication', 'distinct', 'unique', 'dropduplicates', 'duplicate'],
    ...['exactdedup', 'exactdeduplication', 'exactduplicates'],
  ],
  'near-duplicates': [
    ...[
      'neardedup',
      'neardedupe',
      'neardup',
      'neardeduplication',
      'minhash',
      'minhashlsh',
      'lsh',
      'simhash',
      'similar',
    ],
    ...['fuzzydedup', 'fuzzydeduplication', 'fuzzyduplicates'],
  ],
  length: ['truncate', 'maxlength', 'maxlen', 'minlength', 'lengthfilter', 'tokenlength'],
  language: ['lang', 'langid', 'langdetect', 'languagefilter', 'languageid', 'fasttext'],
  personal: ['pii', 'piimask', 'mask', 'redact', 'anonymize', 'anonymise', 'presidio', 'scrub'],
  contamination: ['decontaminate', 'decontamination', 'ngramoverlap', 'overlap', 'leakage'],
  sample: ['subsample', 'downsample', 'upsample', 'take', 'limit', 'weights'],
  shuffle: ['randomize', 'permute'],
  'self-cognition': ['selfcognition', 'identity'],
};

const names: readonly string[] = stepOptions.map(({ shape }) => shape.step.value);

export const isStep = (word: string): boolean => names.includes(word);

/** The step that others call so, or whose name is near. */
export function stepCalled(word: string): string | undefined {
  const name = word.toLowerCase().replaceAll(/[-_\s]/g, '');
  return Object.entries(called).find(([, words]) => words.includes(name))?.[0] ?? nearestName(word, names);
}
