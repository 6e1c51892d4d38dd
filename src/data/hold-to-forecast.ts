import { type Forecast, forecastDiffers, totalOf } from '../core/forecast.ts';
import { otherCode } from '../store/made-by.ts';
import type { Artefact } from '../store/store.ts';
import { ledgerOf, type SourceAccess } from './build/streamed/derived-rows.ts';
import { readDataset } from './ledger.ts';

interface HeldDataset {
  /** With its files, whether it is an artefact yet or not. */
  readonly folder: string;
  /** The artefact; absent while it is built. */
  readonly found?: Artefact;
  readonly forecast: Forecast['rows'];
  readonly access: SourceAccess;
}

const names = { train: 'rows to train on', heldout: 'rows held out' } as const;
type Counts = Record<keyof typeof names, number>;

/**
 * Whether a dataset holds what was forecast of it. Sources are told apart only where the sums differ: it takes a reading of the
 * ledger.
 * @throws MartletError `forecast-differs`
 */
export async function holdToForecast({ folder, found: artefact, forecast, access }: HeldDataset): Promise<void> {
  const { fates } = await readDataset(folder);
  if (fates.train === totalOf(forecast, 'train') && fates.heldout === totalOf(forecast, 'heldout')) return;
  const found: Record<string, Counts> = {};
  for await (const { source, fate } of ledgerOf(folder, access)) {
    if (fate !== 'train' && fate !== 'heldout') continue;
    found[source] ??= { train: 0, heldout: 0 };
    found[source][fate]++;
  }
  throw forecastDiffers({
    ...{ names, forecast, found },
    made: artefact ? `dataset ${artefact.address}` : 'new dataset',
    otherCode: artefact && (await otherCode(artefact.lineage)),
  });
}
