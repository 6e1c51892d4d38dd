import { randomStream, streamKey } from '../../core/random.ts';
import { optionsOf } from '../../schema/steps.ts';
import { defineStep } from './step.ts';

/** A random order, the same for the same seed and rows. Memory: four bytes a row. */
export const shuffle = defineStep({
  name: 'shuffle',
  version: 1,
  options: optionsOf('shuffle'),
  open: ({ seed }) => ({
    kind: 'whole',
    featureBytes: 0,
    decide({ count }) {
      const order = Uint32Array.from({ length: count }, (_, index) => index);
      const random = randomStream(streamKey(seed, 0x5a0ff1e));
      for (let i = count - 1; i > 0; i--) {
        const j = random.below(i + 1);
        const held = order[i] ?? 0;
        order[i] = order[j] ?? 0;
        order[j] = held;
      }
      return { drops: [], order };
    },
    asTheyCome: () => () => null,
  }),
});
