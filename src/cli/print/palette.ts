import picocolors from 'picocolors';
import type { CliContext } from '../context.ts';

export type Palette = ReturnType<typeof picocolors.createColors>;

/** Colours, or functions that change nothing where colour is not wanted. */
export function palette(context: Pick<CliContext, 'colour'>): Palette {
  return picocolors.createColors(context.colour);
}
