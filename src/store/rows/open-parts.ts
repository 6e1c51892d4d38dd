import { createHash } from 'node:crypto';
import { glob, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MartletError } from '../../core/error.ts';
import type { Json } from '../../schema/common.ts';
import { hashFile, listFiles } from '../files/files.ts';
import { byName, dataFiles, otherFiles, selectDatasetFiles, splitsIn } from './dataset-files.ts';
import { fileMeant, filesIn } from './file-meant.ts';
import { countPluginRows, isPlugin, readPluginRows } from './plugin-rows.ts';
import { formatQueryAddress, isQueryAddress, parseQueryAddress, type QueryAddress } from './query-address.ts';
import type { RawRow } from './raw-rows.ts';
import { countStatedRows, type ReadRowsOptions, readRows } from './read-rows.ts';
import { parseSourceAddress, splitLocalPlace } from './source-address.ts';

/** A file of a hub's data set. */
export interface DatasetFile {
  /** Where it stands, or would stand: what the provenance of its rows names. */
  readonly file: string;
  /** As the hub says; null for one that stands there. */
  readonly bytes: number | null;
  /** For one that is fetched when it is read, and may be gone afterwards. */
  readonly lent?: {
    readonly lend: () => Promise<AsyncDisposable & { readonly path: string }>;
    readonly sha256: () => Promise<string>;
  };
}

/**
 * Files that a hub's data set is made of, on this machine. `lendWithin`: they are lent, where all that is kept of the corpus
 * may take so many bytes.
 */
export type FetchDataset = (
  dataset: {
    readonly kind: 'hf' | 'modelscope';
    readonly id: string;
    readonly revision: string;
    readonly parts: readonly string[];
    readonly split: string | undefined;
  },
  options?: { readonly lendWithin?: number | undefined },
) => Promise<readonly DatasetFile[]>;

export interface OpenPartsRequest {
  readonly from: string;
  readonly query?: string | null | undefined;
  /** For plug-ins. */
  readonly options?: { readonly [key: string]: Json } | undefined;
  readonly fetchDataset?: FetchDataset | undefined;
  /** See `FetchDataset`. */
  readonly lendWithin?: number | undefined;
}

/** A piece of a source that is read from its beginning to its end: a file, a query or what a plug-in gives. */
export interface RowPart {
  /** What the provenance of its rows names. */
  readonly file: string;
  readonly kind: 'file' | 'query' | 'plugin';
  read(options: ReadRowsOptions): AsyncIterable<RawRow>;
  /** sha-256 of the file, or over the hashes of the rows. */
  fingerprint(signal?: AbortSignal): Promise<string>;
  /** How many rows it has, where that is known without reading them. */
  statedRows(): Promise<number | null>;
  /** Bytes of a file as it lies there; null for what is no file. */
  bytes(): Promise<number | null>;
  /** Bytes that are fetched when it is read; 0 for what stands on this machine. */
  readonly fetchedBytes: number;
}

/**
 * Everything a source is made of, in order: files sorted by name, numbers in names by their value.
 * @throws MartletError `file-unreadable`, `bad-address`, `dataset-empty`, `subset-unknown`, `subset-ambiguous` and whatever a hub answers
 */
export async function openParts(request: OpenPartsRequest): Promise<readonly RowPart[]> {
  const { from } = request;
  if (isQueryAddress(from)) return [queryPart(parseQueryAddress(from, request.query))];
  if (await kindOf(from)) return (await filesBelow(from)).map((file) => partOf(file, request));
  const { place, hub, parts, split } = parseSourceAddress(from);
  if (hub) {
    if (!request.fetchDataset)
      throw new MartletError('offline', `${place} is not on this machine, and no hub is to be asked`);
    return (await request.fetchDataset({ ...hub, parts, split }, { lendWithin: request.lendWithin })).map(hubPart);
  }
  return (await localFiles(place)).map((file) => partOf(file, request));
}

/** The part that the provenance of a row names, to look the row up again; null for plug-ins, which hang on their options. */
export function reopenPart(file: string): RowPart | null {
  if (isQueryAddress(file)) return queryPart(parseQueryAddress(file, null));
  return isPlugin(file) ? null : filePart(file);
}

const partOf = (file: string, request: OpenPartsRequest): RowPart =>
  isPlugin(file) ? pluginPart(file, request.options ?? {}) : filePart(file);

function filePart(file: string): RowPart {
  return {
    file,
    kind: 'file',
    read: (options) => readRows(file, options),
    fingerprint: () => hashFile(file),
    statedRows: () => countStatedRows(file),
    bytes: async () => (await stat(file)).size,
    fetchedBytes: 0,
  };
}

function hubPart({ file, bytes, lent }: DatasetFile): RowPart {
  // One that stands there now may be lent another time.
  if (!lent) return { ...filePart(file), fetchedBytes: bytes ?? 0 };
  return {
    file,
    kind: 'file',
    async *read(options) {
      await using here = await lent.lend();
      yield* readRows(here.path, options);
    },
    fingerprint: lent.sha256,
    // It would have to be fetched to be known.
    statedRows: async () => null,
    bytes: async () => bytes,
    fetchedBytes: bytes ?? 0,
  };
}

function queryPart(address: QueryAddress): RowPart {
  const open = () =>
    address.kind === 'sqlite'
      ? import('./sqlite-rows.ts').then((module) => ({ read: module.readSqliteRows, count: module.countSqliteRows }))
      : import('./postgres-rows.ts').then((module) => ({
          read: module.readPostgresRows,
          count: module.countPostgresRows,
        }));
  const part: RowPart = {
    file: formatQueryAddress(address),
    kind: 'query',
    async *read(options) {
      yield* (await open()).read({ ...options, address });
    },
    fingerprint: (signal) => rowsFingerprint(part, signal),
    statedRows: async () => (await open()).count({ address }),
    bytes: async () => null,
    fetchedBytes: 0,
  };
  return part;
}

function pluginPart(file: string, options: OpenPartsRequest['options'] & object): RowPart {
  const part: RowPart = {
    file,
    kind: 'plugin',
    async *read({ share = 1, ...more }) {
      const count = share < 1 ? await countPluginRows({ file, options }) : null;
      const end = count === null ? Number.POSITIVE_INFINITY : Math.ceil(count * share);
      for await (const row of readPluginRows({ ...more, file, options })) {
        if (row.line > end) return;
        yield row;
      }
    },
    fingerprint: (signal) => rowsFingerprint(part, signal),
    statedRows: () => countPluginRows({ file, options }),
    bytes: async () => null,
    fetchedBytes: 0,
  };
  return part;
}

/** What a source without a file was when it was read. */
async function rowsFingerprint(part: RowPart, signal: AbortSignal | undefined): Promise<string> {
  const all = createHash('sha256');
  for await (const { sha256 } of part.read({ signal })) all.update(`${sha256}\n`);
  return all.digest('hex');
}

async function localFiles(place: string): Promise<readonly string[]> {
  if (await kindOf(place)) return filesBelow(place);
  if (/[*?[{]/.test(basename(place)) || place.includes('*')) {
    const found = await Array.fromAsync(glob(place));
    const files = [];
    for (const path of found.toSorted(byName)) if ((await kindOf(path)) === 'file') files.push(path);
    if (files.length > 0) return files;
    throw new MartletError('file-unreadable', `no file is called ${place}`, {
      hint: await filesIn(dirname(place)),
    });
  }
  const parts = splitLocalPlace(place);
  if (parts && (await kindOf(parts.path)) === 'folder') return filesBelow(parts.path, parts.parts);
  throw new MartletError('file-unreadable', `there is no ${place}`, { hint: await fileMeant(place) });
}

async function filesBelow(place: string, parts: readonly string[] = []): Promise<readonly string[]> {
  if ((await kindOf(place)) === 'file') return [place];
  const paths = await listFiles(place);
  const isDataset = parts.length > 0;
  const card = isDataset && paths.includes('README.md') ? await readFile(join(place, 'README.md'), 'utf8') : undefined;
  const files = isDataset ? selectDatasetFiles({ parts, name: place, paths, card }) : dataFiles(paths);
  if (files.length > 0) return files.map((path) => join(place, path));
  throw new MartletError('dataset-empty', `${place} has no file of rows that can be read`, {
    hint: 'Rows are read from JSON, JSONL, CSV, TSV, Parquet, text and Markdown, also packed as .gz or .zst.',
  });
}

/** What of a folder's files may not be meant. */
export interface FolderRemarks {
  /** Files that are not read, though rows might stand in them: texts beside data, and kinds that are unknown. */
  readonly passedOver: readonly string[];
  /** Several splits that are read, one behind the other. */
  readonly splits: readonly string[];
}

export async function folderRemarks(from: string): Promise<FolderRemarks> {
  const { place } = parseSourceAddress(from);
  if (isQueryAddress(from) || (await kindOf(place)) !== 'folder') return { passedOver: [], splits: [] };
  const paths = await listFiles(place);
  return { passedOver: otherFiles(paths), splits: splitsIn(paths) };
}

async function kindOf(path: string): Promise<'file' | 'folder' | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ? 'file' : found?.isDirectory() ? 'folder' : undefined;
}
