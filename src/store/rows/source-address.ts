import { MartletError } from '../../core/error.ts';
import { isQueryAddress } from './query-address.ts';

/** What `from` of a source says, taken apart; nothing is looked up. */
export interface SourceAddress {
  /** A path, a glob, a query or the address of a hub, without what follows. */
  readonly place: string;
  readonly hub: { readonly kind: 'hf' | 'modelscope'; readonly id: string; readonly revision: string } | null;
  /** What stands behind the bar: subsets, and perhaps a split of them as the last. Which it is, the data set says. */
  readonly parts: readonly string[];
  /** A split that stands before the bar. */
  readonly split: string | undefined;
  /** `#500`: so many rows, drawn at random. */
  readonly sample: number | null;
}

const hubForm = /^(hf|ms|modelscope)::?([\w][\w.-]*\/[\w][\w.-]*)(?:@([^:]+?))?(?:\/([\w.-]+))?(?::(.+))?$/i;

/**
 * `hf:org/name@revision:subset/split#500`, `modelscope:...` (also `hf::` and `ms::`, as ms-swift writes them), or a path
 * with `:subset/split` and `#500` behind it. Several subsets stand one behind the other, `:en/de/train`; a split may also
 * stand in front, `hf:org/name/train:en/de`.
 * @throws MartletError `bad-address`
 */
export function parseSourceAddress(from: string): SourceAddress {
  if (isQueryAddress(from)) return { place: from, hub: null, parts: [], split: undefined, sample: null };
  const [, place = from, count] = /^(.*?)(?:#(\d+))?$/s.exec(from) ?? [];
  const sample = count === undefined ? null : Number(count);
  if (sample === 0) throw new MartletError('bad-address', `${from} takes no row`, { hint: 'Write #1 or more.' });
  if (!/^(hf|ms|modelscope):/i.test(place)) return { place, hub: null, parts: [], split: undefined, sample };
  const [, scheme = '', id = '', revision, split, behind] = hubForm.exec(place) ?? [];
  const parts = behind === undefined ? [] : partsOf(behind);
  if (id === '' || revision?.includes('..') || parts.includes(''))
    throw new MartletError('bad-address', `"${from}" is no address of a data set`, {
      hint: 'It has the form hf:organisation/name@revision:subset/split#rows; all behind the name may be left out.',
    });
  const kind = scheme.toLowerCase() === 'hf' ? 'hf' : 'modelscope';
  return {
    place: `${kind}:${id}`,
    hub: { kind, id, revision: revision ?? { hf: 'main', modelscope: 'master' }[kind] },
    parts,
    split,
    sample,
  };
}

const partsOf = (behind: string): readonly string[] => behind.split('/').map((part) => part.trim());

/** `folder:subset/split`, where no file has that name. */
export function splitLocalPlace(place: string): { readonly path: string; readonly parts: readonly string[] } | null {
  const [, path = '', behind = ''] = /^(.{2,}):([\w][\w .-]*(?:\/[\w .-]+)*)$/s.exec(place) ?? [];
  return path === '' ? null : { path, parts: partsOf(behind) };
}
