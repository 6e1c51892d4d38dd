import { existsSync } from 'node:fs';
import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite';
import { MartletError, messageOf } from '../../core/error.ts';
import { bytesJson, cellJson, floatJson } from './cell-json.ts';
import { jsonRow } from './json-row.ts';
import { mendQuery, placeInQuery, type QueryAddress } from './query-address.ts';
import { defaultMaxRowBytes, type RawRow } from './raw-rows.ts';

export interface QueryRequest {
  readonly address: QueryAddress;
  readonly maxRowBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Only this first share of the rows. */
  readonly share?: number | undefined;
}

/**
 * The rows of a query, read one at a time from a database that is opened for reading only.
 * @throws MartletError `file-unreadable`, `query-failed`
 */
export async function* readSqliteRows(request: QueryRequest): AsyncGenerator<RawRow> {
  const { address, signal, maxRowBytes = defaultMaxRowBytes, share = 1 } = request;
  const end = share < 1 ? Math.ceil((await countSqliteRows(request)) * share) : Number.POSITIVE_INFINITY;
  const database = await openDatabase(address);
  try {
    const statement = prepared(database, address, address.query);
    statement.setReadBigInts(true);
    const names = statement.columns().map(({ name }) => name);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined)
      throw failed(address, `two columns are called ${JSON.stringify(twice)}`, 'Name one of them anew: ... AS other.');
    const keys = names.map((name) => JSON.stringify(name));
    let line = 0;
    for (const row of rowsOf(statement, address)) {
      signal?.throwIfAborted();
      if (line >= end) return;
      line++;
      const members = names.map((name, index) => `${keys[index]}:${valueJson(name, row[name] ?? null)}`);
      yield jsonRow(`{${members.join(',')}}`, line, maxRowBytes);
    }
  } finally {
    database.close();
  }
}

/** How many rows a query gives, counted by the database. */
export async function countSqliteRows({ address }: QueryRequest): Promise<number> {
  const database = await openDatabase(address);
  try {
    // Alone first: a mistake is then named by its place in the query as it was written.
    prepared(database, address, address.query);
    const count = prepared(database, address, `SELECT count(*) AS rows FROM (${address.query}\n)`);
    return Number(count.get()?.rows ?? 0);
  } finally {
    database.close();
  }
}

async function openDatabase({ database }: QueryAddress): Promise<DatabaseSync> {
  const { DatabaseSync } = await import('node:sqlite');
  try {
    if (!existsSync(database)) throw new Error('there is no such file');
    return new DatabaseSync(database, { readOnly: true });
  } catch (cause) {
    throw new MartletError('file-unreadable', `cannot open the database ${database}: ${messageOf(cause)}`, {
      cause,
      hint: 'Check the path and its rights.',
    });
  }
}

function prepared(database: DatabaseSync, address: QueryAddress, sql: string): StatementSync {
  try {
    return database.prepare(sql);
  } catch (cause) {
    throw failed(address, messageOf(cause), mendQuery, cause);
  }
}

function* rowsOf(statement: StatementSync, address: QueryAddress): Generator<Record<string, SQLOutputValue>> {
  try {
    yield* statement.iterate();
  } catch (cause) {
    throw failed(address, messageOf(cause), mendQuery, cause);
  }
}

/** SQLite names the word it stumbled over, and not where it stands. */
function failed(address: QueryAddress, ...[message, hint, cause]: [string, string, unknown?]): MartletError {
  const word = /near "(.*?)":|no such (?:column|table|function): "?([\w.]+)/s.exec(message);
  const named = word?.[1] ?? word?.[2];
  const index = named === undefined || named === '' ? undefined : address.query.search(wordForm(named));
  const place = placeInQuery(address.query, index);
  return new MartletError('query-failed', `sqlite:${address.database}: ${message}${place}`, { cause, hint });
}

const wordForm = (word: string): RegExp =>
  new RegExp(`(?<![\\w"])${word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\w])`, 'i');

function valueJson(column: string, value: SQLOutputValue): string {
  if (value === null) return 'null';
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return floatJson(value);
  return typeof value === 'string' ? cellJson(column, value) : bytesJson(value);
}
