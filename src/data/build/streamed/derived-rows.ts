import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MartletError } from '../../../core/error.ts';
import { type DatasetPiece, datasetPiece, type LedgerEntry, streamedDataset } from '../../../schema/dataset.ts';
import type { Sample } from '../../../schema/sample.ts';
import {
  type DatasetRows,
  gathered,
  keptRows,
  type LinePlace,
  type PlaceMeant,
} from '../../../store/dataset/dataset-rows.ts';
import { readJsonLines } from '../../../store/files/files.ts';
import { parseDocument, readDocument } from '../../../store/read-document.ts';
import { readRawRows } from '../../../store/rows/raw-rows.ts';
import type { SourcePlace } from '../../opened-source.ts';
import { canBeginAfter, sourceRows } from '../../source-rows.ts';
import { type OpenSourcesRequest, openSources } from '../../sources.ts';
import { openSteps } from '../../steps/open-steps.ts';
import { batchesOf } from '../batches.ts';
import { openAccounts } from '../dataset-accounts.ts';
import { plainSource } from '../work.ts';
import { openWorkerPool } from '../worker-pool.ts';
import { deriveBatches } from './derive-batches.ts';
import { endOfPiece, linesOf, type PieceEnd, piecesFile, placeAfter, streamedFile } from './pieces.ts';

/** What reading sources needs beside what a dataset says. */
export type SourceAccess = Pick<OpenSourcesRequest, 'resolveFeedback' | 'fetchDataset' | 'lendWithin' | 'signal'>;

/** The rows of a dataset: as they stand in its folder or, where they are not kept, made again from their sources. */
export function datasetRows(folder: string, access: SourceAccess): DatasetRows {
  return madeRows(folder, access) ?? keptRows(folder);
}

/** Undefined for a dataset that keeps its rows. */
export function madeRows(folder: string, access: SourceAccess): DatasetRows | undefined {
  return isStreamed(folder) ? derivedRows(folder, access) : undefined;
}

export const isStreamed = (folder: string): boolean => existsSync(join(folder, streamedFile));

/** The ledger of a dataset, kept or not; `at`: where it is not, only pieces that may hold rows that began there. */
export async function* ledgerOf(
  folder: string,
  ...[access, at]: [access: SourceAccess, at?: PlaceMeant]
): AsyncGenerator<LedgerEntry> {
  if (!isStreamed(folder)) {
    yield* readLedger(folder);
    return;
  }
  for await (const { ledger } of derivedPieces(folder, access, { at }))
    for (const text of linesIn(ledger)) yield JSON.parse(text.toString()) as LedgerEntry;
}

function derivedRows(folder: string, access: SourceAccess): DatasetRows {
  const pieces = () => readPieces(folder);
  return {
    bytes: async () => (await pieces()).reduce((sum, { rowBytes }) => sum + rowBytes, 0),
    async *blocks({ signal = access.signal, skip = 0 } = {}) {
      let seen = 0;
      // Asked for each piece in their order.
      const wanted = ({ rowBytes }: DatasetPiece): boolean => rowBytes > 0 && seen++ >= skip;
      for await (const { rows } of derivedPieces(folder, { ...access, signal }, { wanted })) yield new Uint8Array(rows);
    },
    async *linesAt(places, signal = access.signal) {
      const within = placesByPiece(places, await pieces());
      const wanted = (_: DatasetPiece, index: number): boolean => within.has(index);
      for await (const { index, rows } of derivedPieces(folder, { ...access, signal }, { wanted })) {
        const { start, places: inside } = within.get(index) ?? { start: 0, places: [] };
        const line = (place: LinePlace) => rows.subarray(place.start - start, place.start - start + place.length + 1);
        for (const together of gathered(inside))
          yield { bytes: Buffer.concat(together.map(line)), lines: together.length };
      }
    },
    async *samples({ split, at, signal = access.signal } = {}) {
      const wanted = ({ rowBytes }: DatasetPiece): boolean => rowBytes > 0;
      for await (const { rows } of derivedPieces(folder, { ...access, signal }, { wanted, at }))
        for (const text of linesIn(rows)) {
          const sample = JSON.parse(text.toString()) as Sample;
          if (split === undefined || sample.split === split) yield sample;
        }
    },
  };
}

interface DerivedPiece {
  readonly index: number;
  /** Lines of `rows.jsonl`. */
  readonly rows: Buffer;
  /** Lines of `ledger.jsonl`. */
  readonly ledger: Buffer;
}

interface PiecesWanted {
  /** Asked for each piece in their order; all are when absent. */
  readonly wanted?: (piece: DatasetPiece, index: number) => boolean;
  /** Only pieces that may hold rows that began there. */
  readonly at?: PlaceMeant | undefined;
}

/**
 * Reads the sources again and gives the lines of the pieces that are wanted, each held against the hash of what it was.
 * Files with nothing wanted in them are not opened, where rows come file by file. Memory: a few pieces, and what `pieces.jsonl` holds. Disk: none.
 * @throws MartletError `source-changed`
 */
async function* derivedPieces(
  folder: string,
  ...[access, { wanted: isWanted = () => true, at }]: [SourceAccess, PiecesWanted]
): AsyncGenerator<DerivedPiece> {
  const { values, today, pieceBytes, pieceRows } = await readStreamed(folder);
  const pieces = await readPieces(folder);
  const mayHold = ({ ranges }: DatasetPiece): boolean =>
    !at ||
    ranges.some(
      ({ source, file, first, last }) =>
        first <= at.line &&
        at.line <= last &&
        [values.sources[source]?.from, file].some((name) => name !== undefined && at.isMeant(name)),
    );
  const wanted = pieces.map((piece, index) => isWanted(piece, index) && mayHold(piece));
  if (!wanted.includes(true)) return;
  const sources = await openSources({ lendWithin: 0, ...access, values });
  const names = ['read', ...(await openSteps(values.steps)).map(({ name }) => name)];
  const settings = {
    cacheFolder: '',
    request: { values, today },
    sources: sources.map(plainSource),
    steps: values.steps,
  };
  // One thread beside this one: whoever wants the rows has work for the others.
  const bytes = pieces.reduce((sum, { rowBytes }, index) => sum + (wanted[index] ? rowBytes : 0), 0);
  await using pool = await openWorkerPool(settings, bytes < bytesWorthThread ? 0 : 1);
  const canSkip = canBeginAfter(sources, values);
  const batches = async function* () {
    for (const { first, last, after } of runsOf(pieces, wanted, canSkip)) {
      const cut = {
        bytes: pieceBytes,
        rows: pieceRows,
        context: '',
        first,
        wanted: (index: number) => wanted[index] ?? false,
      };
      yield* until(batchesOf(sourceRows(sources, { values, signal: access.signal, after }), sources, cut), last);
    }
  };
  const decided = (index: number) =>
    (pieces[index]?.decided ?? []).map((text) => (text === null ? null : Buffer.from(text, 'base64')));
  let given = 0;
  for await (const batch of deriveBatches({ batches: batches(), pool, decided, signal: access.signal })) {
    const piece = pieces[batch.index];
    if (piece?.key !== batch.key) throw changed(folder);
    const accounts = openAccounts(names);
    const lines = await linesOf(batch, { decided: decided(batch.index), names, accounts });
    if (lines.sha256 !== piece.sha256) throw changed(folder);
    given++;
    yield { index: batch.index, rows: lines.rows, ledger: lines.ledger };
  }
  if (given < wanted.filter(Boolean).length) throw changed(folder);
}

/** Below this a thread takes longer to begin than to read. */
const bytesWorthThread = 8 * 2 ** 20;

interface PieceRun {
  readonly first: number;
  readonly last: number;
  /** Where its rows begin. */
  readonly after: SourcePlace | undefined;
}

/** Pieces from one that is wanted to another, without a file between them that holds none. */
function runsOf(
  pieces: readonly DatasetPiece[],
  ...[wanted, canSkip]: [readonly boolean[], boolean]
): readonly PieceRun[] {
  const endOf = (index: number): PieceEnd | undefined => (pieces[index] ? endOfPiece(pieces[index]) : undefined);
  const runs: { first: number; last: number; after: SourcePlace | undefined }[] = [];
  for (const index of wanted.keys()) {
    if (!wanted[index]) continue;
    const run = runs.at(-1);
    const goesOn =
      run?.last === index - 1 || (run && isOneFile(pieces[run.last]?.ranges.at(-1), pieces[index]?.ranges[0]));
    const after = canSkip && !goesOn ? placeAfter(index, endOf) : undefined;
    if (after) runs.push({ first: index, last: index, after });
    else if (run) run.last = index;
    else runs.push({ first: 0, last: index, after });
  }
  return runs;
}

type Range = DatasetPiece['ranges'][number] | undefined;

const isOneFile = (one: Range, other: Range): boolean => one?.source === other?.source && one?.file === other?.file;

/** Nothing behind the last that is wanted is read. */
async function* until<T extends { readonly index: number }>(
  batches: AsyncIterable<T>,
  last: number,
): AsyncGenerator<T> {
  for await (const batch of batches) {
    yield batch;
    if (batch.index === last) return;
  }
}

function changed(folder: string): MartletError {
  return new MartletError('source-changed', `the sources of ${folder} do not give the rows any more that they gave`, {
    hint: 'A file was changed, or this version of Martlet reads it otherwise. Build the dataset again.',
  });
}

async function readStreamed(folder: string) {
  return readDocument(join(folder, streamedFile), streamedDataset);
}

async function readPieces(folder: string): Promise<readonly DatasetPiece[]> {
  const pieces: DatasetPiece[] = [];
  const file = join(folder, piecesFile);
  for await (const { value } of readJsonLines(file))
    pieces.push(await parseDocument(value, { file, schema: datasetPiece }));
  return pieces;
}

/** Places by number of their piece, with where that begins in `rows.jsonl`. */
function placesByPiece(places: readonly LinePlace[], pieces: readonly DatasetPiece[]) {
  const found = new Map<number, { readonly start: number; readonly places: LinePlace[] }>();
  let start = 0;
  let at = 0;
  for (const [index, { rowBytes }] of pieces.entries()) {
    const inside: LinePlace[] = [];
    for (let place = places[at]; place && place.start < start + rowBytes; place = places[++at]) inside.push(place);
    if (inside.length > 0) found.set(index, { start, places: inside });
    start += rowBytes;
  }
  return found;
}

/** Each with its end. */
function* linesIn(bytes: Buffer): Generator<Buffer> {
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(10, start) + 1;
    yield bytes.subarray(start, end);
    start = end;
  }
}

/** @throws MartletError `dataset-unreadable` */
async function* readLedger(folder: string): AsyncGenerator<LedgerEntry> {
  const file = join(folder, 'ledger.jsonl');
  for await (const raw of readRawRows(file)) {
    try {
      yield JSON.parse(raw.bytes?.toString('utf8') ?? '') as LedgerEntry;
    } catch (cause) {
      throw new MartletError('dataset-unreadable', `${file}:${raw.line} is not an entry of a ledger`, {
        cause,
        hint: 'The file was changed or cut; build the dataset again.',
      });
    }
  }
}
