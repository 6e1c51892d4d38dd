import { optionsOf } from '../../schema/steps.ts';
import { findPersonal, type PersonalKind } from './personal-data.ts';
import { defineStep } from './step.ts';
import { mapTexts, textsOf } from './texts.ts';

/** Finds personal data by its shape and, where its kind has one, its checksum; reports, masks or drops. */
export const personal = defineStep({
  name: 'personal',
  version: 1,
  options: optionsOf('personal'),
  open({ kinds, action }) {
    const wanted = new Set<PersonalKind>(kinds);
    return {
      kind: 'rows',
      apply(sample) {
        const found: string[] = [];
        const counts = new Map<PersonalKind, number>();
        for (const { text, path } of textsOf(sample))
          for (const { kind, start } of findPersonal(text, wanted)) {
            // The place, never the datum itself: a ledger is read by many.
            found.push(`${path}: ${kind} at character ${start + 1}${action === 'mask' ? ' masked' : ''}`);
            counts.set(kind, (counts.get(kind) ?? 0) + 1);
          }
        if (found.length === 0) return null;
        if (action === 'report') return { changes: found };
        if (action === 'drop') {
          const sum = [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ');
          return { drop: { fate: 'filtered', code: 'personal-data', reason: `holds personal data: ${sum}` } };
        }
        return { sample: mapTexts(sample, ({ text }) => masked(text, wanted)), changes: found };
      },
    };
  },
});

function masked(text: string, kinds: ReadonlySet<PersonalKind>): string {
  let result = '';
  let at = 0;
  for (const { kind, start, end } of findPersonal(text, kinds)) {
    result += `${text.slice(at, start)}[${kind}]`;
    at = end;
  }
  return at === 0 ? text : result + text.slice(at);
}
