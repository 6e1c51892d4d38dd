import { optionsOf } from '../../schema/steps.ts';
import { defineStep } from './step.ts';
import { mapTexts } from './texts.ts';

/** Fills `{{NAME}}` and `{{AUTHOR}}`, in the language of the row: zh where it holds Chinese characters, en elsewhere. */
export const selfCognition = defineStep({
  name: 'self-cognition',
  version: 1,
  options: optionsOf('self-cognition'),
  open: ({ modelName, author }) => ({
    kind: 'rows',
    apply(sample) {
      const chinese = /\p{sc=Han}/u.test(JSON.stringify(sample.messages));
      const pick = (value: typeof modelName): string =>
        typeof value === 'string' ? value : chinese ? value.zh : value.en;
      let filled = 0;
      const now = mapTexts(sample, ({ text }) =>
        text.replace(/\{\{(NAME|AUTHOR)\}\}/g, (_, what: string) => {
          filled++;
          return pick(what === 'NAME' ? modelName : author);
        }),
      );
      return now === sample ? null : { sample: now, changes: [`${filled} names filled in`] };
    },
  }),
});
