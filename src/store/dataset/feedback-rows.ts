import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MartletError } from '../../core/error.ts';
import { parseFeedbackAddress } from '../../core/feedback-address.ts';
import { nearestName } from '../../core/nearest.ts';
import type { Store } from '../store.ts';

/**
 * The file with the rows of `feedback/<name>@<n>`. A version is wanted: without one, the same plan would mean other rows
 * after the next review.
 * @throws MartletError `feedback-unversioned`, naming the newest; `feedback-missing`, naming what there is
 */
export async function feedbackRows(store: Pick<Store, 'root' | 'folder' | 'list'>, from: string): Promise<string> {
  const { name, version } = parseFeedbackAddress(from) ?? { name: from, version: null };
  if (version !== null) {
    const rows = join(store.folder('feedback', `${name}@${version}`), 'rows.jsonl');
    if (existsSync(rows)) return rows;
  }
  const known = (await store.list('feedback')).map(({ address }) => address);
  const newest = known.findLast((address) => address.startsWith(`${name}@`));
  if (version === null && newest !== undefined)
    throw new MartletError('feedback-unversioned', `${from} names no version`, {
      hint: `Write feedback/${newest}, the newest: a plan that took whichever is newest could not be repeated.`,
    });
  const near = newest ?? known.findLast((address) => address.startsWith(`${nearestName(name, known.map(nameOf))}@`));
  const hint =
    near !== undefined
      ? `The newest there is: feedback/${near}.`
      : known.length > 0
        ? `There is ${known.map((address) => `feedback/${address}`).join(', ')}.`
        : `Judge answers, then make it with: martlet review --feedback ${name}. A folder of that name is written ./${from}.`;
  throw new MartletError('feedback-missing', `there is no ${from} in ${store.root}`, { hint });
}

const nameOf = (address: string): string => address.slice(0, address.lastIndexOf('@'));
