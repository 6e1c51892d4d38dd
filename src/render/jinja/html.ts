import { TemplateError } from './error.ts';
import { str } from './repr.ts';
import { escaped, isMarkup, isStr, type Str, withMarkup } from './text.ts';
import { whitespace } from './unicode.ts';
import type { Value } from './value.ts';

const htmlCharacters = /[&<>'"]/g;
const htmlEscapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  "'": '&#39;',
  '"': '&#34;',
};

/** markupsafe's `escape`: Markup as it is, everything else as text with HTML's characters escaped. */
export function escapeHtml(value: Value): Str {
  if (isStr(value) && isMarkup(value)) return value;
  return withMarkup(
    escaped(str(value), htmlCharacters, (match) => htmlEscapes[match] ?? match),
    true,
  );
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0' };

/** Python's `html.unescape` for numbers and the few names that text is escaped with. */
export function unescapeHtml(text: string): string {
  return text.replace(/&(#\d+;?|#[xX][\da-fA-F]+;?|[a-zA-Z][a-zA-Z\d]{1,31};?)/g, (whole, name: string) => {
    const bare = name.replace(/;$/, '');
    if (bare.startsWith('#')) {
      const isHex = /^#[xX]/.test(bare);
      const code = Number.parseInt(bare.slice(isHex ? 2 : 1), isHex ? 16 : 10);
      if (code < 32 || (code > 126 && code < 160) || code > 0xd7ff)
        throw new TemplateError('unsupported', `the entity ${whole} is not available`);
      return String.fromCodePoint(code);
    }
    const known = entities[bare];
    if (known !== undefined && name.endsWith(';')) return known;
    throw new TemplateError('unsupported', `the entity ${whole} is not available`);
  });
}

const spaceRuns = new RegExp(`[${whitespace}]+`);

/** `Markup.striptags`: tags and comments go, runs of white space become one space, entities become what they stand for. */
export function stripTags(html: string): string {
  const parts: string[] = [];
  let position = 0;
  for (let start = html.indexOf('<'); start >= 0; start = html.indexOf('<', position)) {
    const isComment = html.startsWith('<!--', start);
    const end = isComment ? html.indexOf('-->', start + 4) : html.indexOf('>', start);
    if (end < 0) break;
    parts.push(html.slice(position, start));
    position = end + (isComment ? 3 : 1);
  }
  parts.push(html.slice(position));
  const words = parts
    .join('')
    .split(spaceRuns)
    .filter((word) => word !== '');
  return unescapeHtml(words.join(' '));
}
