import type { Sample } from '../../schema/sample.ts';
import { optionsOf, type StepOptions } from '../../schema/steps.ts';
import { columnsOf } from './expression.ts';
import { defineStep, type RowVerdict } from './step.ts';
import { textsOf } from './texts.ts';

/** Characters looked at; more make nothing surer. */
const looked = 8192;

/** Tells the language of each row by groups of letters, drops rows of others, and writes it into a column. */
export const language = defineStep({
  name: 'language',
  version: 1,
  options: optionsOf('language'),
  async open({ keep, of, unsure, column }) {
    // Its tables take a third of a second to load.
    const { eld } = await import('eld/extrasmall');
    const languageOf = (text: string): string | null => {
      const found = eld.detect(text.slice(0, looked));
      return found.isReliable() ? found.language : null;
    };
    return {
      kind: 'rows',
      apply(sample): RowVerdict | null {
        const found = languageOf(textOf(sample, of));
        const isKept = found === null ? unsure === 'keep' : (keep?.some((wanted) => wanted === found) ?? true);
        if (!isKept) {
          const code = found === null ? 'language-unsure' : 'other-language';
          const reason = found === null ? 'it is not sure in which language it is' : `is in ${found}`;
          return { drop: { fate: 'filtered', code, reason: keep ? `${reason}; kept: ${keep.join(', ')}` : reason } };
        }
        const changes = [found === null ? 'not sure in which language' : `is in ${found}`];
        if (column === undefined) return keep ? null : { changes };
        return { sample: { ...sample, extra: { ...sample.extra, [column]: found } }, changes };
      },
    };
  },
});

function textOf(sample: Sample, of: StepOptions<'language'>['of']): string {
  if (of !== 'row') return String(columnsOf(sample)[of] ?? '');
  return textsOf(sample)
    .filter(({ role }) => role === 'user' || role === 'assistant')
    .map(({ text }) => text)
    .join('\n');
}
