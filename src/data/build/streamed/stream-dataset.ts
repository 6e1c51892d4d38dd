import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { MartletError } from '../../../core/error.ts';
import type { DatasetPiece, StreamedDataset } from '../../../schema/dataset.ts';
import { createFileWriter, type FileWriter } from '../../../store/file-writer.ts';
import { openPlaces, rowAccounts } from '../../row-accounts.ts';
import { sourceRows } from '../../source-rows.ts';
import { fetchedBytes } from '../../sources.ts';
import { type OpenedStep, openSteps } from '../../steps/open-steps.ts';
import { statesOf, writeBatch } from '../batch-states.ts';
import { batchesOf, batchSize } from '../batches.ts';
import { type DatasetAccounts, openAccounts } from '../dataset-accounts.ts';
import { accountsDelta, dropsByBatch, liveNumbers } from '../decide.ts';
import { packDelta, unpackDelta } from '../delta-file.ts';
import type { RunStepsRequest } from '../kept/run-steps.ts';
import { wholeRows } from '../whole-rows.ts';
import { plainSource } from '../work.ts';
import { openWorkerPool } from '../worker-pool.ts';
import { holdYoungMemory } from '../young-memory.ts';
import { type DerivedBatch, deriveBatches } from './derive-batches.ts';

export interface StreamDatasetRequest extends Omit<RunStepsRequest, 'cacheFolder'> {
  /** An empty folder. */
  readonly folder: string;
}

export const streamedFile = 'streamed.json';
export const piecesFile = 'pieces.jsonl';

/** What is known of a batch between two passes. Memory: 3 bytes a row, 4 more with steps over all rows. */
interface PieceState {
  readonly key: string;
  readonly sources: Uint16Array;
  readonly dead: Uint8Array;
  readonly decided: (Buffer | null)[];
  /** Where its rows stand, as numbers of `places`. */
  readonly places: Uint32Array | null;
  feature: Uint8Array | null;
}

/**
 * Writes `streamed.json` and `pieces.jsonl`: what rows and ledger can be made from again. The sources are read once, and once
 * more for each step that looks at all rows.
 * @throws MartletError `step-unbounded` for a step that has to hold rows or reorder them; `source-changed`
 */
export async function streamDataset(request: StreamDatasetRequest): Promise<DatasetAccounts> {
  const { sources, values, today, folder, signal } = request;
  const steps = await openSteps(values.steps);
  requireBounded(steps);
  const wholes = [...steps.keys()].filter((index) => steps[index]?.step.kind === 'whole');
  const names = ['read', ...steps.map(({ name }) => name)];
  const settings = {
    cacheFolder: '',
    request: { values, today },
    sources: sources.map(plainSource),
    steps: values.steps,
  };
  const size = { bytes: request.batchBytes ?? batchSize.bytes, rows: batchSize.rows };
  using _ = holdYoungMemory(4);
  await using pool = await openWorkerPool(settings, request.workers);

  const pieces: PieceState[] = [];
  const rowEnds = rowAccounts(sources, values.split);
  const places = openPlaces();
  const accounts = openAccounts(names);
  await using output = await openOutput(folder);
  for (let pass = 0; pass <= wholes.length; pass++) {
    const batches = batchesOf(sourceRows(sources, { values, signal }), sources, { ...size, context: '' });
    const decided = (batch: number) => pieces[batch]?.decided ?? [];
    let count = 0;
    for await (const batch of deriveBatches({ batches, pool, decided, signal })) {
      count++;
      const piece = pass === 0 ? begin(batch) : (pieces[batch.index] ?? changed());
      if (piece.key !== batch.key) changed();
      for (const row of batch.dropped) piece.dead[row] = 1;
      piece.feature = batch.feature;
      if (pass === 0) request.onBatch?.(batch.sources.length);
      if (pass === wholes.length) await output.add(batch, { piece, names, accounts });
    }
    if (count !== pieces.length) changed();
    if (pass === 0) rowEnds.finish();
    const whole = wholes[pass];
    if (whole !== undefined) decide(whole);
  }
  await output.finish({ values, today, size, fetched: await fetchedBytes(request) });
  return accounts.close();

  function begin(batch: DerivedBatch): PieceState {
    const { key, sources: rowSources, files, read } = batch;
    const dead = new Uint8Array(rowSources.length);
    for (const value of read.splitValues) rowEnds.sawSplit(value);
    const first = accountsDelta({ accounts: rowEnds, read, rowSources, rowFiles: files, dead });
    const placeOf = (source: number, row: number) =>
      places.add({ file: files[row] ?? sources[source]?.values.from ?? '', line: read.lines[row] ?? 0 });
    const piece: PieceState = {
      ...{ key, dead },
      sources: rowSources,
      decided: [packDelta(first), ...steps.map(() => null)],
      places: wholes.length > 0 ? new Uint32Array(Array.from(rowSources, placeOf)) : null,
      feature: null,
    };
    pieces.push(piece);
    return piece;
  }

  function decide(index: number): void {
    const { name, step } = steps[index] ?? {};
    if (step?.kind !== 'whole') return;
    const live = liveNumbers(pieces);
    const rows = wholeRows({
      sources: pieces.map((piece) => piece.sources),
      live,
      addresses: sources.map((source) => source.values.from),
      place({ batch, index: row }) {
        const { file, line } = places.at(pieces[batch]?.places?.[row] ?? 0);
        return `${file}:${line}`;
      },
      feature: (batch) => pieces[batch]?.feature ?? new Uint8Array(),
      width: step.featureBytes,
    });
    const verdict = step.decide(rows);
    if (verdict.order) throw unbounded(name ?? '', 'puts all rows into another order');
    let at = 0;
    for (const dropped of dropsByBatch({ batches: pieces, live, verdict })) {
      const piece = pieces[at++];
      if (!piece) continue;
      piece.decided[index + 1] = packDelta({ rows: dropped, samples: Buffer.alloc(0) });
      piece.feature = null;
    }
  }
}

/** Most bytes of a row that a step over all rows may want to look at: they are held in memory. */
const mostFeatureBytes = 64;

function requireBounded(steps: readonly OpenedStep[]): void {
  for (const { name, step } of steps) {
    if (step.kind !== 'whole') continue;
    if (step.featureBytes > mostFeatureBytes)
      throw unbounded(name, `holds ${step.featureBytes} bytes of every row in memory`);
    if (name === 'shuffle') throw unbounded(name, 'puts all rows into another order');
  }
}

function unbounded(step: string, what: string): MartletError {
  return new MartletError('step-unbounded', `the step ${step} ${what}, which rows that are streamed do not allow`, {
    hint: `Take ${step} out of data.steps, or leave out execution.diskGiB. Training shuffles rows by train.seed anyway.`,
  });
}

export function changed(): never {
  throw new MartletError('source-changed', 'a source gives other rows than it gave a moment ago', {
    hint: 'Let nothing write to the sources meanwhile, and sort the rows of a query. Then give the command again.',
  });
}

interface AddRequest {
  readonly piece: PieceState;
  readonly names: readonly string[];
  readonly accounts: ReturnType<typeof openAccounts>;
}

interface FinishRequest {
  readonly values: StreamedDataset['values'];
  readonly today: string;
  readonly fetched: StreamedDataset['fetched'];
  readonly size: { readonly bytes: number; readonly rows: number };
}

async function openOutput(folder: string) {
  const file: FileWriter = await createFileWriter(join(folder, piecesFile));
  const all = { rows: hashing(), ledger: hashing() };
  return {
    async add(batch: DerivedBatch, { piece, names, accounts }: AddRequest): Promise<void> {
      const lines = await linesOf(batch, { piece, names, accounts });
      all.rows.add(lines.rows);
      all.ledger.add(lines.ledger);
      await file.writeJson({
        key: piece.key,
        rows: piece.sources.length,
        rowBytes: lines.rows.length,
        ledgerBytes: lines.ledger.length,
        sha256: lines.sha256,
        decided: piece.decided.map((bytes) => bytes?.toString('base64') ?? null),
        ranges: rangesOf(batch),
      } satisfies DatasetPiece);
    },
    async finish({ values, today, size, fetched }: FinishRequest): Promise<void> {
      await file.close();
      await using document = await createFileWriter(join(folder, streamedFile));
      await document.writeJson({
        schema: 'streamed-dataset/1',
        ...{ values, today },
        pieceBytes: size.bytes,
        pieceRows: size.rows,
        fetched,
        rows: all.rows.close(),
        ledger: all.ledger.close(),
      } satisfies StreamedDataset);
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}

interface LinesRequest extends Pick<AddRequest, 'names' | 'accounts'> {
  readonly piece: Pick<PieceState, 'decided'>;
}

/** The lines that a batch gives in `rows.jsonl` and in `ledger.jsonl`. */
export async function linesOf(batch: DerivedBatch, { piece, names, accounts }: LinesRequest) {
  const gathered = { rows: [] as Uint8Array[], ledger: [] as Uint8Array[] };
  const first = unpackDelta(piece.decided[0] ?? Buffer.alloc(0));
  await writeBatch({
    states: statesOf(batch.done(first), names),
    rows: { write: (bytes) => void gathered.rows.push(bytes) },
    ledger: { write: (bytes) => void gathered.ledger.push(bytes) },
    accounts,
  });
  const [rows, ledger] = [Buffer.concat(gathered.rows), Buffer.concat(gathered.ledger)];
  return { rows, ledger, sha256: createHash('sha256').update(rows).update(ledger).digest('hex') };
}

function rangesOf({ sources, files, read }: DerivedBatch): DatasetPiece['ranges'] {
  const ranges = new Map<string, DatasetPiece['ranges'][number]>();
  for (const [row, source] of sources.entries()) {
    const [file, line] = [files[row], read.lines[row] ?? 0];
    const key = `${source} ${file ?? ''}`;
    const known = ranges.get(key);
    if (!known) ranges.set(key, { source, ...(file !== undefined && { file }), first: line, last: line });
    else {
      known.first = Math.min(known.first, line);
      known.last = Math.max(known.last, line);
    }
  }
  return [...ranges.values()];
}

function hashing() {
  const hash = createHash('sha256');
  let bytes = 0;
  return {
    add(piece: Uint8Array): void {
      hash.update(piece);
      bytes += piece.length;
    },
    close: () => ({ bytes, sha256: hash.digest('hex') }),
  };
}
