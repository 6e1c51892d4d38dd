import { optionsOf } from '../../schema/steps.ts';
import { mapJsonText } from './json-texts.ts';
import { findPersonal, type PersonalDatum, type PersonalKind } from './personal-data.ts';
import { defineStep } from './step.ts';
import { mapTexts } from './texts.ts';

/** Finds personal data in messages and arguments of tool calls by its shape and, where its kind has one, its checksum; reports, masks or drops. */
export const personal = defineStep({
  name: 'personal',
  version: 2,
  options: optionsOf('personal'),
  open({ kinds, action }) {
    const wanted = new Set<PersonalKind>(kinds);
    return {
      kind: 'rows',
      apply(sample) {
        const found: string[] = [];
        const counts = new Map<PersonalKind, number>();
        const now = mapTexts(
          sample,
          ({ text: whole, path: where }) =>
            mapJsonText(whole, where, ({ text, path }) => {
              const data = findPersonal(text, wanted);
              for (const { kind, start } of data) {
                // The place, never the datum itself: a ledger is read by many.
                found.push(`${path}: ${kind} at character ${start + 1}${action === 'mask' ? ' masked' : ''}`);
                counts.set(kind, (counts.get(kind) ?? 0) + 1);
              }
              return masked(text, data);
            }),
          { calls: true },
        );
        if (found.length === 0) return null;
        if (action === 'report') return { changes: found };
        if (action === 'drop') {
          const sum = [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ');
          return { drop: { fate: 'filtered', code: 'personal-data', reason: `holds personal data: ${sum}` } };
        }
        return { sample: now, changes: found };
      },
    };
  },
});

function masked(text: string, data: readonly PersonalDatum[]): string {
  let result = '';
  let at = 0;
  for (const { kind, start, end } of data) {
    result += `${text.slice(at, start)}[${kind}]`;
    at = end;
  }
  return at === 0 ? text : result + text.slice(at);
}
