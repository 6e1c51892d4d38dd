import type { LedgerEntry } from '../../schema/dataset.ts';
import type { OpenedSource } from '../opened-source.ts';
import type { RowReading, rowReader, SourceRow } from '../read-sources.ts';
import { lineOf, type OddRow, type Part } from './part-file.ts';
import { textBuffer } from './text-buffer.ts';

/** What a batch has to tell whoever accounts for all rows: 1 for each row with a sample, its id, its line; values of the split. */
export interface ReadResult {
  readonly kept: Uint8Array;
  readonly ids: Uint8Array;
  readonly filtered: Uint8Array;
  readonly lines: Float64Array;
  readonly splitValues: readonly string[];
}

/** Reads the raw rows of a batch. */
export function readPart(
  rows: readonly SourceRow[],
  ...[sources, read, today]: [sources: readonly OpenedSource[], read: ReturnType<typeof rowReader>, today: string]
): Part {
  const samples = textBuffer();
  const ledger = textBuffer();
  const rowEnds = new Uint32Array(rows.length);
  const ledgerEnds = new Uint32Array(rows.length);
  const ids = Buffer.alloc(rows.length * 32);
  const odd: OddRow[] = [];
  const embargoes = new Set<string>();
  const splitValues = new Set<string>();
  const heldout: number[] = [];
  for (const [index, row] of rows.entries()) {
    const source = sources[row.source];
    if (!source) throw new Error(`no source ${row.source}`);
    const { bytes } = row.raw;
    // What crossed from another thread is a plain array of bytes.
    const raw = { ...row.raw, bytes: bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
    const reading = read(raw, source);
    if (reading.sample) samples.add(`${JSON.stringify(reading.sample)}\n`);
    ledger.add(`${JSON.stringify(ledgerEntryOf(reading, raw.file))}\n`);
    rowEnds[index] = samples.length;
    ledgerEnds[index] = ledger.length;
    if (reading.id !== null) ids.write(reading.id, index * 32, 'hex');
    // What a source gives again is no duplicate of itself.
    if (raw.copy !== undefined) ids.writeUInt32LE((ids.readUInt32LE(index * 32) ^ raw.copy) >>> 0, index * 32);
    if (reading.sample?.split === 'heldout') heldout.push(index);
    if (reading.splitValue !== null) splitValues.add(reading.splitValue);
    if (reading.sample?.provenance.embargo !== undefined) embargoes.add(reading.sample.provenance.embargo);
    if (reading.embargo !== null) embargoes.add(reading.embargo);
    if (!reading.sample || reading.changes.length > 0) odd.push([index, oddRow(reading)]);
  }
  const head = { rows: rows.length, today, embargoes: [...embargoes], splitValues: [...splitValues], heldout, odd };
  return { head, rows: samples.bytes(), rowEnds, ledger: ledger.bytes(), ledgerEnds, ids };
}

function oddRow({ fate, reason, embargo, changes, issues }: RowReading): OddRow[1] {
  const [issue = null] = issues;
  return { fate, reason, embargo, changes, issue: issue as OddRow[1]['issue'] };
}

function ledgerEntryOf(reading: RowReading, file: string | undefined): LedgerEntry {
  const { source, line, sha256, fate, id, reason, changes, issues, sample } = reading;
  const code = sample ? null : (issues[0]?.code ?? fate);
  const place = { source, ...(file !== undefined && { file }), line };
  return { ...place, sha256, fate, step: sample ? null : 'read', code, id, reason, changes: [...changes] };
}

export function readResult(part: Part, rows: readonly SourceRow[]): ReadResult {
  const count = part.head.rows;
  const kept = new Uint8Array(count);
  for (let i = 0; i < count; i++) kept[i] = lineOf(part.rows, part.rowEnds, i).length > 0 ? 1 : 0;
  const filtered = new Uint8Array(count);
  for (const [row, { fate }] of part.head.odd) if (fate === 'filtered' || fate === 'limited') filtered[row] = 1;
  const lines = Float64Array.from(rows, ({ raw }) => raw.line);
  return { kept, ids: new Uint8Array(part.ids), filtered, lines, splitValues: part.head.splitValues };
}
