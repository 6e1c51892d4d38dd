import { MartletError } from '../../core/error.ts';
import { cellJson } from './cell-json.ts';
import { jsonRow } from './json-row.ts';
import { mendQuery, placeInQuery, type QueryAddress } from './query-address.ts';
import { defaultMaxRowBytes, type RawRow } from './raw-rows.ts';
import type { QueryRequest } from './sqlite-rows.ts';

/** Rows fetched at once. */
const batchRows = 500;
const connectMs = 10_000;

/**
 * The rows of a query, fetched through a cursor in a transaction that may only read. The database itself writes each row as
 * JSON, so that arrays, decimals and times are as PostgreSQL writes them. The password comes from PGPASSWORD or ~/.pgpass.
 * @throws MartletError `database-unreachable` (retryable), `query-failed`
 */
export async function* readPostgresRows(request: QueryRequest): AsyncGenerator<RawRow> {
  const { address, signal, maxRowBytes = defaultMaxRowBytes, share = 1 } = request;
  const end = share < 1 ? Math.ceil((await countPostgresRows(request)) * share) : Number.POSITIVE_INFINITY;
  const client = await connect(address);
  try {
    await client.query('BEGIN TRANSACTION READ ONLY');
    await run(client, address, {
      before: 'DECLARE martlet NO SCROLL CURSOR FOR SELECT row_to_json(martlet)::text FROM (',
    });
    let line = 0;
    for (;;) {
      signal?.throwIfAborted();
      const rows = await fetched(client, address, Math.min(batchRows, end - line));
      for (const [text] of rows) yield jsonRow(withStructure(text ?? 'null'), ++line, maxRowBytes);
      if (rows.length < batchRows || line >= end) return;
    }
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** How many rows a query gives, counted by the database. */
export async function countPostgresRows({ address }: QueryRequest): Promise<number> {
  const client = await connect(address);
  try {
    await client.query('BEGIN TRANSACTION READ ONLY');
    const [row] = await run(client, address, { before: 'SELECT count(*)::text FROM (' });
    return Number(row?.[0] ?? 0);
  } finally {
    await client.end().catch(() => undefined);
  }
}

interface Connection {
  connect(): Promise<unknown>;
  query(request: string | { readonly text: string; readonly rowMode: 'array' }): Promise<{ readonly rows: unknown[] }>;
  end(): Promise<void>;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

async function connect(address: QueryAddress): Promise<Connection> {
  const { Client } = await import('pg');
  const client: Connection = new Client({
    connectionString: address.database,
    connectionTimeoutMillis: connectMs,
    application_name: 'martlet',
  });
  // A connection lost between two fetches is told by the next fetch.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (cause) {
    throw new MartletError('database-unreachable', `${address.database}: ${messageOf(cause)}`, {
      cause,
      retryable: true,
      hint: 'Check the address; the password comes from PGPASSWORD or ~/.pgpass.',
    });
  }
}

type TextRow = readonly (string | null)[];

async function run(
  client: Connection,
  address: QueryAddress,
  { before }: { before: string },
): Promise<readonly TextRow[]> {
  // A comment may end the query: what follows begins on a line of its own.
  return ask(client, address, { text: `${before}${address.query}\n) AS martlet`, offset: before.length });
}

function fetched(client: Connection, address: QueryAddress, rows: number): Promise<readonly TextRow[]> {
  return ask(client, address, { text: `FETCH ${rows} FROM martlet`, offset: null });
}

async function ask(
  client: Connection,
  address: QueryAddress,
  { text, offset }: { readonly text: string; readonly offset: number | null },
): Promise<readonly TextRow[]> {
  try {
    return (await client.query({ text, rowMode: 'array' })).rows as TextRow[];
  } catch (cause) {
    const { position } = cause as { position?: string };
    const index =
      offset === null || position === undefined ? undefined : characterAt(text, Number(position) - 1) - offset;
    throw new MartletError(
      'query-failed',
      `${address.database}: ${messageOf(cause)}${placeInQuery(address.query, index)}`,
      { cause, hint: (cause as { hint?: string }).hint ?? mendQuery },
    );
  }
}

/** PostgreSQL counts characters, JavaScript halves of some. */
function characterAt(text: string, characters: number): number {
  let index = 0;
  for (let count = 0; count < characters && index < text.length; count++)
    index += (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1;
  return index;
}

/** Text columns that hold JSON (see `cellJson`). */
function withStructure(text: string): string {
  if (!/:"\s*[[{]/.test(text) && !/"(label|margin|scores?|rank|reward)":"/.test(text)) return text;
  return text.replace(/(?<=[{,])"([\w]+)":("(?:[^"\\]|\\.)*")/g, (whole, name: string, value: string) => {
    const written = cellJson(name, JSON.parse(value) as string);
    return written.startsWith('"') ? whole : `"${name}":${written}`;
  });
}

const messageOf = (error: unknown): string =>
  error instanceof AggregateError
    ? error.errors.map(messageOf).join('; ')
    : error instanceof Error
      ? error.message
      : String(error);
