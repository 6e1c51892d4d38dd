import { MartletError } from './error.ts';
import { formatCount } from './units.ts';

/**
 * What stages will come to, from a reading of the sources that took nothing from any build. Only what was counted whole: it is
 * held against what the stages then make.
 */
export interface Forecast {
  /** It was made on, as `2026-11-23`: embargoes and dates in templates make another day another matter. */
  readonly day: string;
  readonly rows: BySource<'train' | 'heldout'>;
  /** Of rows that are trained on. */
  readonly tokens?: BySource<'rows' | 'tokens' | 'learned'> | undefined;
}

/** Counts, by the address of a source. */
export type BySource<Name extends string> = Readonly<Record<string, Readonly<Record<Name, number>>>>;

/** All sources together. */
export function totalOf<Name extends string>(counts: BySource<Name>, name: Name): number {
  return Object.values(counts).reduce((sum, count) => sum + count[name], 0);
}

interface Compared<Name extends string> {
  /** Such as `dataset market-brief@2`, or `new dataset` before it is one. */
  readonly made: string;
  readonly names: Readonly<Record<Name, string>>;
  readonly forecast: BySource<Name>;
  readonly found: BySource<Name>;
  /** The Martlet that made it, where that is not this one. */
  readonly otherCode: string | undefined;
}

const afresh = 'under another name (--set name=...) nothing is taken from what was made before.';

/** A stage that made something else than was forecast: what differs, source by source. */
export function forecastDiffers<Name extends string>(compared: Compared<Name>): MartletError {
  const { made, names, forecast, found, otherCode } = compared;
  const sources = new Set([...Object.keys(forecast), ...Object.keys(found)]);
  const all = Object.keys(names) as Name[];
  const lines = [...sources].flatMap((source) =>
    all.flatMap((name) => {
      const [expected, is] = [forecast[source]?.[name] ?? 0, found[source]?.[name] ?? 0];
      return expected === is
        ? []
        : [`  ${source}: ${formatCount(is)} ${names[name]}, where ${formatCount(expected)} were counted`];
    }),
  );
  return new MartletError(
    'forecast-differs',
    `${made}: not what its sources give, read just now:\n${lines.join('\n')}`,
    {
      hint:
        otherCode === undefined
          ? 'If a source was written to meanwhile, give the command again. A step of your own must do the same to the same row until its file changes. ' +
            `Otherwise this is a fault of Martlet: report it; ${afresh}`
          : `It was made by ${otherCode}, which read or encoded them otherwise; ${afresh}`,
    },
  );
}
