import type { Issue } from '../../core/issue.ts';
import { type Check, warning } from './check.ts';

/** A word that stands twice in a list does nothing the second time, and hides what was meant. */
export const wordsOnce: Check = ({ values, recipe }) => [
  ...twice(['base'], values.base),
  ...twice(['eval', 'tasks'], values.eval.tasks),
  ...twice(['export', 'formats'], values.export.formats),
  ...twice(['data', 'split', 'heldOut'], values.data.split.heldOut ?? []),
  ...(recipe.adapter.kind === 'lora' && recipe.adapter.targets !== 'all-linear'
    ? twice(['adapter', 'targets'], recipe.adapter.targets)
    : []),
];

function twice(path: readonly string[], words: readonly string[]): readonly Issue[] {
  return words.flatMap((word, index) =>
    words.indexOf(word) < index
      ? [warning({ code: 'word-twice', path: [...path, index], message: `${word} stands twice.`, fix: 'Remove one.' })]
      : [],
  );
}
