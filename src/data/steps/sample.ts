import { MartletError } from '../../core/error.ts';
import { nearestName } from '../../core/nearest.ts';
import { mix32, streamKey } from '../../core/random.ts';
import { optionsOf, type StepOptions } from '../../schema/steps.ts';
import { type Drop, defineStep, type WholeRows } from './step.ts';

/**
 * Takes rows by chance, so many of each source as its weight asks for. No row is taken twice: the source that runs out
 * first says how many there are of the others, unless fewer are asked for.
 */
export const sample = defineStep({
  name: 'sample',
  version: 1,
  options: optionsOf('sample'),
  open: (options) => ({ kind: 'whole', featureBytes: 0, decide: (rows) => ({ drops: dropsOf(rows, options) }) }),
});

type Options = StepOptions<'sample'>;

function* dropsOf(rows: WholeRows, options: Options): Generator<readonly [number, Drop]> {
  const counts = new Map<string, number>();
  for (let row = 0; row < rows.count; row++) {
    const source = rows.source(row);
    counts.set(source, (counts.get(source) ?? 0) + 1);
  }
  const quotas = quotasOf(counts, options);
  const keys = Uint32Array.from({ length: rows.count }, (_, row) => mix32(streamKey(options.seed, 0x5a3b1e, row)));
  const chosen = new Uint8Array(rows.count);
  const bySource = new Map([...counts].map(([source, count]) => [source, new Uint32Array(count)]));
  const filled = new Map<string, number>();
  for (let row = 0; row < rows.count; row++) {
    const source = rows.source(row);
    const at = filled.get(source) ?? 0;
    const members = bySource.get(source);
    if (members) members[at] = row;
    filled.set(source, at + 1);
  }
  for (const [source, members] of bySource) {
    members.sort((a, b) => (keys[a] ?? 0) - (keys[b] ?? 0) || a - b);
    for (const row of members.subarray(0, quotas.get(source) ?? 0)) chosen[row] = 1;
  }
  for (let row = 0; row < rows.count; row++) {
    if (chosen[row] === 1) continue;
    const source = rows.source(row);
    const reason = `not among the ${quotas.get(source)} of ${counts.get(source)} rows drawn from ${source}`;
    yield [row, { fate: 'limited', code: 'not-drawn', reason }];
  }
}

/** Rows to take of each source: in the proportion of the weights, as many as there are, or as many as are asked for. */
export function quotasOf(
  counts: ReadonlyMap<string, number>,
  { rows, share, weights, temperature }: Omit<Options, 'step' | 'seed'>,
): ReadonlyMap<string, number> {
  for (const name of Object.keys(weights ?? {})) {
    if ([...counts.keys()].some((source) => isNamed(source, name))) continue;
    const near = nearestName(name, [...counts.keys()]);
    throw new MartletError('source-unknown', `no row comes from ${name}, which has a weight`, {
      hint: near ? `Did you mean ${near}?` : `The sources are ${[...counts.keys()].join(', ')}.`,
    });
  }
  const all = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const weightOf = (source: string, count: number): number => {
    const given = Object.entries(weights ?? {}).find(([name]) => isNamed(source, name))?.[1];
    if (given !== undefined) return given;
    if (temperature !== undefined) return count ** (1 / temperature);
    return weights ? 1 : count;
  };
  const weighed = [...counts].map(([source, count]) => ({ source, count, weight: weightOf(source, count) }));
  const sum = weighed.reduce((total, { weight }) => total + weight, 0);
  const most = Math.min(...weighed.flatMap(({ count, weight }) => (weight > 0 ? [(count * sum) / weight] : [])));
  const wanted = Math.min(
    rows ?? Number.POSITIVE_INFINITY,
    share === undefined ? Number.POSITIVE_INFINITY : share * all,
    most,
  );
  // Largest remainders: the parts add up to the whole.
  const total = Math.floor(wanted + 1e-9);
  const parts = weighed.map(({ source, count, weight }) => {
    const exact = sum === 0 ? 0 : (total * weight) / sum;
    const whole = Math.min(count, Math.floor(exact + 1e-9));
    return { source, count, whole, rest: exact - whole };
  });
  let missing = total - parts.reduce((taken, { whole }) => taken + whole, 0);
  const quotas = new Map(parts.map(({ source, whole }) => [source, whole]));
  for (const { source, count, whole } of parts.toSorted((a, b) => b.rest - a.rest || (a.source < b.source ? -1 : 1))) {
    if (missing <= 0) break;
    if (whole >= count) continue;
    quotas.set(source, whole + 1);
    missing--;
  }
  return quotas;
}

/** A weight names a source as the recipe does: by its address, or by its end. */
const isNamed = (source: string, name: string): boolean =>
  source === name || source.replaceAll('\\', '/').endsWith(`/${name.replace(/^\.\//, '')}`);
