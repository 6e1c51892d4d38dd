import { hash } from 'node:crypto';
import { MartletError } from '../core/error.ts';
import { nearestName } from '../core/nearest.ts';
import type { Json } from '../schema/common.ts';
import type { PlanValues } from '../schema/plan.ts';
import type { Sample } from '../schema/sample.ts';
import { type RowNotes, shown } from './row-notes.ts';
import { isObject, type JsonObject } from './strict-json.ts';

export interface Splitter {
  /** Null, with the reason in `notes`, when the row lacks the column that decides. */
  sideOf(row: JsonObject, id: string, notes: RowNotes): RowSide | null;
}

export interface RowSide {
  readonly side: Sample['split'];
  /** The value of `split.by` that decided; null when the row itself did. */
  readonly value: string | null;
}

/** Watches the values go by, to tell of one that should be held out and never came. */
export interface SplitWatch {
  saw(value: string): void;
  /** @throws MartletError `split-value-unknown` when a value that should be held out never came. */
  finish(): void;
}

/** Values remembered, to name the nearest one. */
const rememberedValues = 1000;

/** Decides by the value of a column, or by the row's id: never by order, so a row stays on its side when others come and go. */
export function rowSplitter(split: PlanValues['data']['split']): Splitter {
  const heldOut = split.heldOut && new Set(split.heldOut);
  const share = split.share ?? 0;
  return {
    sideOf(row, id, notes) {
      let value = id;
      if (split.by !== null) {
        // Rows of a review have their facts and no other columns: what is held out must stay so when it comes back as feedback.
        const found = columnValue(row, split.by) ?? columnValue(row, `facts.${split.by}`);
        if (found === undefined || found === null) {
          const near = nearestName(split.by, Object.keys(row));
          notes.problem({
            code: 'split-column-missing',
            message: `the row has no ${split.by}, which decides its side of the split.`,
            fix: near
              ? `Did you mean data.split.by: ${near}?`
              : `Add the column, or split by another; the row has ${Object.keys(row).join(', ')}.`,
          });
          return null;
        }
        value = typeof found === 'string' ? found : JSON.stringify(found);
      }
      const isHeldOut = heldOut ? heldOut.has(value) : splitFraction(value) < share;
      return { side: isHeldOut ? 'heldout' : 'train', value: split.by === null ? null : value };
    },
  };
}

export function splitWatch(split: PlanValues['data']['split']): SplitWatch {
  const missing = new Set(split.heldOut ?? []);
  const seen = new Set<string>();
  return {
    saw(value) {
      missing.delete(value);
      if (seen.size < rememberedValues) seen.add(value);
    },
    finish() {
      const [first] = missing;
      // Where no row has the column at all, each is lost, and that is told.
      if (first === undefined || seen.size === 0) return;
      const near = nearestName(first, seen);
      const some = [...seen].slice(0, 5);
      throw new MartletError(
        'split-value-unknown',
        `no row has ${split.by} ${shown(first)}, which should be held out`,
        {
          hint: near
            ? `Did you mean ${near}?`
            : `Mend data.split.heldOut; the rows have ${some.join(', ')}${seen.size > some.length ? ' ...' : ''}.`,
        },
      );
    },
  };
}

/** A number in [0, 1) that is the same for the same value, everywhere and always. */
export function splitFraction(value: string): number {
  return Number.parseInt(hash('sha256', `martlet split ${value}`).slice(0, 12), 16) / 2 ** 48;
}

/** The least share of few decimals that holds out the lowest of these fractions alone; undefined of fewer than two. */
export function oneRowShare(fractions: readonly number[]): number | undefined {
  const [lowest, next] = fractions.toSorted((a, b) => a - b);
  if (lowest === undefined || next === undefined || lowest === next) return undefined;
  for (let scale = 100; ; scale *= 10) {
    const share = (Math.floor(lowest * scale) + 1) / scale;
    if (share > lowest && share <= next) return share;
  }
}

/** `facts.symbol` reaches inside; a column whose own name has dots comes first. */
export function columnValue(row: JsonObject, column: string): Json | undefined {
  if (Object.hasOwn(row, column)) return row[column];
  let value: Json | undefined = row;
  for (const key of column.split('.')) value = isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  return value;
}
