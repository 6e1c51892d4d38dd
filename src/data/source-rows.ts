import { randomStream, streamKey } from '../core/random.ts';
import type { RowPart } from '../store/rows/open-parts.ts';
import type { RawRow } from '../store/rows/raw-rows.ts';
import type { DataValues, OpenedSource, RowsOptions, SourcePlace } from './opened-source.ts';

/** A row of a source before anyone looked inside. */
export interface SourceRow {
  /** Index of its source. */
  readonly source: number;
  readonly raw: RawRow;
}

export interface SourceRowsRequest {
  readonly values: Pick<DataValues, 'mix' | 'mixStop' | 'seed'>;
  readonly signal?: AbortSignal | undefined;
  /** Only the rows of this first share of each source, for an estimate; then nothing is drawn or mixed. */
  readonly share?: number | undefined;
  /** Only rows behind this place: files before it are not opened. Of sources that `canBeginAfter`. */
  readonly after?: SourcePlace | undefined;
}

/** Whether rows come file by file: neither mixed nor drawn. */
export function canBeginAfter(sources: readonly OpenedSource[], { mix }: Pick<DataValues, 'mix'>): boolean {
  return (mix !== 'interleave' || sources.length === 1) && sources.every(({ sample }) => sample === null);
}

/**
 * The rows of all sources, in the order in which they count: a function of the sources and the seed. Rows that a source
 * leaves out come too, and say why in `left`; rows that it gives again are told apart by `copy`.
 */
export async function* sourceRows(
  sources: readonly OpenedSource[],
  request: SourceRowsRequest,
): AsyncGenerator<SourceRow> {
  const { values, signal, share = 1, after } = request;
  if (values.mix === 'interleave' && sources.length > 1 && share === 1) {
    yield* interleaved(sources, request);
    return;
  }
  for (const [source, { rows }] of sources.entries()) {
    if (after && source < after.source) continue;
    for await (const raw of rows({ signal, share, after: after?.source === source ? after : undefined }))
      yield { source, raw };
  }
}

interface Reel {
  /** The next row that is taken, or undefined behind the last. Its bytes are its own. */
  next: RawRow | undefined;
  /** How often it was begun. */
  readonly copy: number;
  /** Goes on to the next row that is taken, and gives the rows before it that are left out. */
  advance(): AsyncGenerator<RawRow>;
  close(): Promise<void>;
}

/**
 * As `interleave_datasets` of Python's datasets does: in turn, as long as every source has a row for the round (or, with
 * all-exhausted, until the longest is through); with weights, until a row was the last of its source (or all had one).
 * Rows that are left out take nobody's turn.
 */
async function* interleaved(
  sources: readonly OpenedSource[],
  { values, signal }: SourceRowsRequest,
): AsyncGenerator<SourceRow> {
  const reels = sources.map((source) => openReel(source, signal, 1));
  const ended = new Set<number>();
  const advance = async function* (source: number): AsyncGenerator<SourceRow> {
    const reel = reels[source];
    if (!reel) return;
    for await (const raw of reel.advance()) yield { source, raw };
    if (!reel.next) ended.add(source);
  };
  try {
    yield* mixed();
  } finally {
    for (const reel of reels) await reel.close();
  }

  async function* mixed(): AsyncGenerator<SourceRow> {
    for (const source of reels.keys()) yield* advance(source);
    const weights = sources.map(({ values: { weight } }) => weight ?? 1);
    const inTurn = sources.every(({ values: { weight } }) => weight === null);
    const random = randomStream(streamKey(values.seed, mixStream));
    const isOver = (): boolean => (values.mixStop === 'first-exhausted' ? ended.size > 0 : ended.size === reels.length);
    while (!isOver()) {
      for (const source of inTurn ? reels.keys() : [drawn(weights, random.uniform())]) {
        const raw = reels[source]?.next;
        if (!raw) continue;
        yield { source, raw };
        yield* advance(source);
        const again = sources[source];
        if (reels[source]?.next || values.mixStop !== 'all-exhausted' || isOver() || !again) continue;
        await reels[source]?.close();
        reels[source] = openReel(again, signal, (reels[source]?.copy ?? 1) + 1);
        yield* advance(source);
      }
    }
    const first = [...ended].map((index) => sources[index]?.values.from)[0];
    for (const [source, reel] of reels.entries()) {
      // What it began to give again is no row that was left out.
      while (reel.next && reel.copy === 1) {
        yield { source, raw: { ...reel.next, left: `${mixEnded} ${first}` } };
        yield* advance(source);
      }
    }
  }
}

/** Why a row that mixing did not come to is left out; the source that ended it follows. */
export const mixEnded = 'interleaving ended with the last row of';
const mixStream = 0x6d6978;
const drawStream = 0x64726177;

function openReel(source: OpenedSource, signal: AbortSignal | undefined, copy: number): Reel {
  const rows = source.rows({ signal })[Symbol.asyncIterator]();
  const reel: Reel = {
    next: undefined,
    copy,
    async *advance() {
      for (;;) {
        const { value, done } = await rows.next();
        reel.next = done || value.left !== undefined ? undefined : owned(value, copy);
        if (done || reel.next) return;
        // The second time round they are accounted for.
        if (copy === 1) yield value;
      }
    },
    async close() {
      await rows.return?.();
    },
  };
  return reel;
}

/** The bytes of a row hold only until the next one is asked for. */
function owned(raw: RawRow, copy: number): RawRow {
  return {
    ...raw,
    bytes: raw.bytes && Buffer.from(raw.bytes),
    ...(copy > 1 && { copy: (raw.copy ?? 1) + copy - 1 }),
  };
}

/** The index that a number in [0, 1) falls on. */
function drawn(weights: readonly number[], uniform: number): number {
  let rest = uniform * weights.reduce((sum, weight) => sum + weight, 0);
  for (const [index, weight] of weights.entries()) {
    rest -= weight;
    if (rest < 0) return index;
  }
  return weights.length - 1;
}

export interface PartRowsRequest {
  readonly values: Pick<OpenedSource['values'], 'textRows'>;
  readonly parts: readonly RowPart[];
  /** Index of the source, for its random numbers. */
  readonly index: number;
  /** Rows drawn; null for all. */
  readonly sample: number | null;
  readonly data: Pick<DataValues, 'seed' | 'maxRowMiB'>;
}

/** All rows of a source, part by part, or those that are drawn from them. */
export function partRows(request: PartRowsRequest): OpenedSource['rows'] {
  const { parts, sample } = request;
  const all = (options: RowsOptions) => readParts(request, options);
  if (sample === null) return all;
  return async function* ({ signal, share = 1 }) {
    if (share < 1) {
      yield* all({ signal, share });
      return;
    }
    const total = await countOf(parts, () => all({ signal }));
    if (total > 0) yield* drawnRows(request, { total, sample, open: () => all({ signal }) });
  };
}

async function* readParts(
  { parts, values, data }: PartRowsRequest,
  { after, ...options }: RowsOptions,
): AsyncGenerator<RawRow> {
  const maxRowBytes = Math.round(data.maxRowMiB * 2 ** 20);
  const first =
    parts.length === 1
      ? 0
      : Math.max(
          0,
          parts.findIndex(({ file }) => file === after?.file),
        );
  for (const [index, part] of parts.entries()) {
    if (index < first) continue;
    let passed = index === first && after ? after.rows : 0;
    const rows = part.read({ ...options, maxRowBytes, textRows: values.textRows });
    for await (const raw of rows) {
      if (passed > 0) passed--;
      else yield parts.length === 1 ? raw : { ...raw, file: part.file };
    }
  }
}

/** As parts state it; read through where they do not. */
async function countOf(parts: readonly RowPart[], read: () => AsyncIterable<RawRow>): Promise<number> {
  const stated = await Promise.all(parts.map((part) => part.statedRows()));
  if (stated.every((count) => count !== null)) return stated.reduce((sum, count) => sum + count, 0);
  let total = 0;
  for await (const _ of read()) total++;
  return total;
}

/**
 * `sample` of `total` rows in their order, each set of rows equally likely (Knuth, volume 2, algorithm S); all rows as often
 * as `sample` has room for them, and the rest drawn.
 */
async function* drawnRows(
  { data, index }: PartRowsRequest,
  { total, sample, open }: { total: number; sample: number; open: () => AsyncIterable<RawRow> },
): AsyncGenerator<RawRow> {
  const whole = Math.floor(sample / total);
  for (let copy = 1; copy <= whole; copy++) for await (const raw of open()) yield copy === 1 ? raw : { ...raw, copy };
  let wanted = sample - whole * total;
  if (wanted === 0) return;
  const random = randomStream(streamKey(data.seed, drawStream, index));
  let rest = total;
  for await (const raw of open()) {
    const isDrawn = random.uniform() * rest-- < wanted;
    if (isDrawn) wanted--;
    if (whole > 0) {
      if (isDrawn) yield { ...raw, copy: whole + 1 };
    } else yield isDrawn ? raw : { ...raw, left: `not among the ${sample} rows drawn of ${total}` };
  }
}
