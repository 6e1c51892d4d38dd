import { MartletError } from './error.ts';

/**
 * One text for one value, so that hashes of documents agree everywhere: keys sorted by UTF-16 code units, no spaces,
 * numbers as ECMAScript prints them (RFC 8785). `undefined` members are left out, as JSON.stringify does.
 * @throws MartletError `not-json` for NaN, infinities, lone surrogates and anything JSON has no form for.
 */
export function canonicalJson(value: unknown): string {
  switch (typeof value) {
    case 'string':
      if (!value.isWellFormed())
        throw new MartletError('not-json', 'a string with a lone surrogate has no canonical form');
      return JSON.stringify(value);
    case 'number':
      if (!Number.isFinite(value)) throw new MartletError('not-json', `${value} has no JSON form`);
      return JSON.stringify(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object': {
      if (value === null) return 'null';
      if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
      const members = Object.entries(value).filter(([, member]) => member !== undefined);
      members.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
      return `{${members.map(([key, member]) => `${canonicalJson(key)}:${canonicalJson(member)}`).join(',')}}`;
    }
    default:
      throw new MartletError('not-json', `a ${typeof value} has no JSON form`);
  }
}
