import type { StageName } from '../pipeline.ts';

/** Whether a walk up to this stage gets as far as training. */
export const trains = (last: StageName): boolean => last === 'train' || last === 'eval' || last === 'export';
