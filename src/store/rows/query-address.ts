import { resolve } from 'node:path';
import { MartletError } from '../../core/error.ts';

export interface QueryAddress {
  readonly kind: 'sqlite' | 'postgres';
  /** Of SQLite the absolute file, of PostgreSQL the address of the database. Never with a password. */
  readonly database: string;
  readonly query: string;
}

export const isQueryAddress = (address: string): boolean => /^(sqlite:|postgres(ql)?:\/\/)/i.test(address);

/**
 * `sqlite:file.db?query=SELECT ...` or `postgres://user@host/database?query=SELECT ...`; the query may also stand apart.
 * In an address it is percent-decoded when every % in it begins such a code.
 * @throws MartletError `bad-address`; `password-in-address`, since addresses are written into plans and ledgers.
 */
export function parseQueryAddress(address: string, query: string | null | undefined): QueryAddress {
  const at = address.search(/[?&]query=/);
  const inAddress = at < 0 ? undefined : decoded(address.slice(at + '?query='.length));
  const database = at < 0 ? address : address.slice(0, at);
  const kind = /^sqlite:/i.test(database) ? 'sqlite' : 'postgres';
  const wanted = (query ?? inAddress ?? '').trim().replace(/;\s*$/, '');
  const shown = database.replace(/:\/\/([^:/?#@]*):[^@/]*@/, '://$1:***@');
  if (wanted === '')
    throw new MartletError('bad-address', `${shown} names a database and no query`, {
      hint: 'Write the query beside it: query: SELECT ... ORDER BY ...',
    });
  if (query && inAddress)
    throw new MartletError('bad-address', `${shown} has a query, and another stands beside it`, {
      hint: 'Remove one.',
    });
  if (kind === 'sqlite') return { kind, database: resolve(database.slice('sqlite:'.length)), query: wanted };
  if (shown !== database || /[?&]password=/.test(database))
    throw new MartletError('password-in-address', `${shown} holds a password`, {
      hint: 'Take it out and set PGPASSWORD, or keep it in ~/.pgpass: addresses are written into plans and ledgers.',
    });
  return { kind, database, query: wanted };
}

/** What provenance names, and what finds the rows again. */
export function formatQueryAddress({ kind, database, query }: QueryAddress): string {
  const joint = database.includes('?') ? '&' : '?';
  return `${kind === 'sqlite' ? `sqlite:${database}` : database}${joint}query=${encodeURIComponent(query)}`;
}

function decoded(text: string): string {
  if (/%(?![0-9a-f]{2})/i.test(text)) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** What to do about a query that a database refuses. */
export const mendQuery = 'Mend the query; it must be a SELECT.';

/** ` at line 2, column 8: FORM users`; nothing where the place is not known. */
export function placeInQuery(query: string, index: number | undefined): string {
  if (index === undefined || index < 0 || index > query.length) return '';
  const before = query.slice(0, index).split('\n');
  const near = query.slice(index, index + 24).split('\n')[0];
  return ` at line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1} of the query${near ? ` (${near})` : ''}`;
}
