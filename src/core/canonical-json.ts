import { MartletError } from './error.ts';

/**
 * One text for one value, so that hashes of documents agree everywhere: keys sorted by UTF-16 code units, no spaces,
 * numbers as ECMAScript prints them (RFC 8785). `undefined` members are left out, as JSON.stringify does.
 * @throws MartletError `not-json` for NaN, infinities, lone surrogates and anything JSON has no form for.
 */
export function canonicalJson(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return textJson(value);
    case 'number':
      if (!Number.isFinite(value)) throw new MartletError('not-json', `${value} has no JSON form`);
      return JSON.stringify(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object': {
      if (value === null) return 'null';
      if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
      return objectJson(value as Readonly<Record<string, unknown>>);
    }
    default:
      throw new MartletError('not-json', `a ${typeof value} has no JSON form`);
  }
}

function textJson(text: string): string {
  if (!text.isWellFormed()) throw new MartletError('not-json', 'a string with a lone surrogate has no canonical form');
  return JSON.stringify(text);
}

function objectJson(value: Readonly<Record<string, unknown>>): string {
  let members = '';
  // Without an order of its own, sort goes by UTF-16 code units.
  for (const key of Object.keys(value).sort()) {
    const member = value[key];
    if (member !== undefined) members += `${members === '' ? '' : ','}${textJson(key)}:${canonicalJson(member)}`;
  }
  return `{${members}}`;
}
