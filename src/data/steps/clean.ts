import { optionsOf, type StepOptions } from '../../schema/steps.ts';
import { htmlToText } from './html-text.ts';
import { mendEncoding } from './mend-encoding.ts';
import { defineStep } from './step.ts';
import { mapTexts } from './texts.ts';

/** Mends texts, and says of each what was wrong with it. */
export const clean = defineStep({
  name: 'clean',
  version: 1,
  options: optionsOf('clean'),
  open: (options) => ({
    kind: 'rows',
    apply(sample) {
      const changes: string[] = [];
      const now = mapTexts(sample, ({ text, path }) => {
        const { text: mended, done } = cleanText(text, options);
        if (done.length > 0) changes.push(`${path}: ${done.join(', ')}`);
        return mended;
      });
      return now === sample ? null : { sample: now, changes };
    },
  }),
});

// What shows nothing and means nothing in a text: C0 and C1 but for tab and line ends, zero-width space, byte order mark,
// the replacement of lost objects. Joiners stay: scripts and emoji need them.
const controls = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f\u200b\u2060\ufeff\ufff9-\ufffc]/g;

export function cleanText(
  text: string,
  { controls: takesControls, encoding, html, whitespace }: Omit<StepOptions<'clean'>, 'step'>,
): { readonly text: string; readonly done: readonly string[] } {
  const done: string[] = [];
  let now = text;
  const change = (next: string, what: string): void => {
    if (next === now) return;
    done.push(what);
    now = next;
  };
  // Broken encodings hold what look like controls, so they come first.
  if (encoding) change(mendEncoding(now), 'encoding mended');
  if (html) change(htmlToText(now), 'HTML turned into text');
  if (takesControls) {
    const count = now.match(controls)?.length ?? 0;
    if (count > 0) change(now.replace(controls, ''), `${count} control character${count === 1 ? '' : 's'} taken out`);
  }
  if (whitespace) change(tidySpace(now), 'white space tidied');
  return { text: now, done };
}

function tidySpace(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(/[ \t\u00a0]+$/gm, '')
    .replace(/\n{3,}/g, '\n\n')
    .replace(/^\n+|\s+$/g, '');
}
