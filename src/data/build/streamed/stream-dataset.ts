import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MartletError } from '../../../core/error.ts';
import type { DatasetPiece, StreamedDataset } from '../../../schema/dataset.ts';
import { createFileWriter } from '../../../store/files/file-writer.ts';
import { openPlaces, rowAccounts } from '../../row-accounts.ts';
import { canBeginAfter, sourceRows } from '../../source-rows.ts';
import { fetchedBytes } from '../../sources.ts';
import { type OpenedStep, openSteps } from '../../steps/open-steps.ts';
import { batchesOf, batchSize } from '../batches.ts';
import { type AccountTotals, type DatasetAccounts, openAccounts } from '../dataset-accounts.ts';
import { accountsDelta, dropsByBatch, liveNumbers } from '../decide.ts';
import { packDelta } from '../delta-file.ts';
import type { RunStepsRequest } from '../kept/run-steps.ts';
import { wholeRows } from '../whole-rows.ts';
import { plainSource } from '../work.ts';
import { openWorkerPool } from '../worker-pool.ts';
import { holdYoungMemory } from '../young-memory.ts';
import { type DerivedBatch, deriveBatches } from './derive-batches.ts';
import { openJournal } from './journal.ts';
import { type PieceEnd, pieceOf, piecesFile, placeAfter, streamedFile } from './pieces.ts';

export interface StreamDatasetRequest extends RunStepsRequest {
  /** An empty folder. */
  readonly folder: string;
}

/** What is known of a batch between two passes. Memory: 3 bytes a row, 4 more with steps over all rows. */
interface PieceState {
  readonly key: string;
  readonly sources: Uint16Array;
  readonly end: PieceEnd;
  readonly dead: Uint8Array;
  readonly decided: (Buffer | null)[];
  /** Where its rows stand, as numbers of `places`. */
  readonly places: Uint32Array | null;
  feature: Uint8Array | null;
}

/** What reading tells of a batch. */
type FirstLook = Pick<DerivedBatch, 'key' | 'sources' | 'files' | 'read'>;

/** What a pass came to know of a batch; `whole` when it was through. */
type PassRecord = BatchRecord | 'whole';

interface BatchRecord extends Pick<DerivedBatch, 'dropped' | 'feature'> {
  /** Of the first pass. */
  readonly look: FirstLook | null;
  /** Of the last: the piece, and what was counted of its rows. */
  readonly last: { readonly piece: DatasetPiece; readonly totals: AccountTotals } | null;
}

/**
 * Writes `streamed.json` and `pieces.jsonl`: what rows and ledger can be made from again. The sources are read once, and once
 * more for each step that looks at all rows. What is known of each batch goes into a journal in the folder of the cache,
 * about 35 bytes a row, so that a build that was killed goes on from there, in the file where it was; where rows are mixed
 * or drawn, those that were read are passed over.
 * @throws MartletError `step-unbounded` for a step that has to hold rows or reorder them; `source-changed`
 */
export async function streamDataset(request: StreamDatasetRequest): Promise<DatasetAccounts> {
  const { sources, values, today, folder, cacheFolder, signal } = request;
  const steps = await openSteps(values.steps);
  request.onSteps?.(steps);
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
  await mkdir(cacheFolder, { recursive: true });
  await using output = await createFileWriter(join(folder, piecesFile));
  for (let pass = 0; pass <= wholes.length; pass++) {
    await readAll(pass);
    if (pass === 0) rowEnds.finish();
    const whole = wholes[pass];
    if (whole !== undefined) decide(whole);
  }
  await using document = await createFileWriter(join(folder, streamedFile));
  await document.writeJson({
    schema: 'streamed-dataset/2',
    ...{ values, today },
    pieceBytes: size.bytes,
    pieceRows: size.rows,
    fetched: await fetchedBytes(request),
  } satisfies StreamedDataset);
  return accounts.close();

  async function readAll(pass: number): Promise<void> {
    let count = 0;
    let isWhole = false;
    await using journal = await openJournal<PassRecord>(join(cacheFolder, `pass-${pass}`), async (record) => {
      if (record === 'whole') {
        isWhole = true;
        return;
      }
      take(record, count++);
      if (!record.last) return;
      accounts.addAll(record.last.totals);
      await output.writeJson(record.last.piece);
    });
    if (isWhole) return;
    const known = count;
    const after =
      known > 0 && canBeginAfter(sources, values) ? placeAfter(known, (index) => pieces[index]?.end) : undefined;
    const batches = batchesOf(sourceRows(sources, { values, signal, after }), sources, {
      ...{ ...size, context: '', first: after ? known : 0 },
      wanted: (index) => index >= known,
    });
    const decided = (batch: number) => pieces[batch]?.decided ?? [];
    for await (const batch of deriveBatches({ batches, pool, decided, signal })) {
      const { key, sources: rowSources, files, read, dropped, feature } = batch;
      const look = pass === 0 ? { key, sources: rowSources, files, read } : null;
      const piece = take({ look, dropped, feature }, count++);
      if (piece.key !== key) changed();
      const last = pass === wholes.length ? await finish(batch, piece) : null;
      await journal.add({ look, dropped, feature, last });
    }
    if (count !== pieces.length) changed();
    await journal.add('whole');
  }

  async function finish(batch: DerivedBatch, { decided }: PieceState): Promise<BatchRecord['last']> {
    const own = openAccounts(names);
    const piece = await pieceOf(batch, { decided, names, accounts: own });
    await output.writeJson(piece);
    accounts.addAll(own.totals);
    return { piece, totals: own.totals };
  }

  function take({ look, dropped, feature }: Omit<BatchRecord, 'last'>, index: number): PieceState {
    const piece = look ? begin(look) : (pieces[index] ?? changed());
    for (const row of dropped) piece.dead[row] = 1;
    // A copy, as of all that is kept: arrays of a record are views of the whole of it.
    piece.feature = feature && Uint8Array.from(feature);
    return piece;
  }

  function begin({ key, sources: rowSources, files, read }: FirstLook): PieceState {
    const dead = new Uint8Array(rowSources.length);
    for (const value of read.splitValues) rowEnds.sawSplit(value);
    const first = accountsDelta({ accounts: rowEnds, read, rowSources, rowFiles: files, dead });
    const placeOf = (source: number, row: number) =>
      places.add({ file: files[row] ?? sources[source]?.values.from ?? '', line: read.lines[row] ?? 0 });
    const piece: PieceState = {
      ...{ key, dead },
      sources: Uint16Array.from(rowSources),
      end: endOf(rowSources, files),
      decided: [packDelta(first), ...steps.map(() => null)],
      places: wholes.length > 0 ? new Uint32Array(Array.from(rowSources, placeOf)) : null,
      feature: null,
    };
    pieces.push(piece);
    request.onBatch?.(rowSources.length);
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
      feature({ batch, index: row }) {
        const { featureBytes: width } = step;
        return (pieces[batch]?.feature ?? new Uint8Array()).subarray(row * width, (row + 1) * width);
      },
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

/** Where the rows of a batch end. */
function endOf(sources: Uint16Array, files: DerivedBatch['files']): PieceEnd {
  const file = files.at(-1);
  const source = sources.at(-1) ?? 0;
  const before = sources.findLastIndex((each, row) => each !== source || files[row] !== file);
  return { source, file, rows: sources.length - 1 - before, isAll: before === -1 };
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

function changed(): never {
  throw new MartletError('source-changed', 'a source gives other rows than it gave a moment ago', {
    hint: 'Let nothing write to the sources meanwhile, and sort the rows of a query. Then give the command again.',
  });
}
