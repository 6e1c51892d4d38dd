import { fingerprint } from './fingerprint.ts';

/**
 * What a plan trains, as an engine recomputes it from the file it was given: the loss, and all values but those that say how
 * the result is measured and how it leaves. Equal hashes, equal weights.
 */
export function planHash({ values, loss }: { readonly values: object; readonly loss: unknown }): string {
  const trained = Object.entries(values).filter(([name]) => name !== 'eval' && name !== 'export');
  return fingerprint({ values: Object.fromEntries(trained), loss });
}
