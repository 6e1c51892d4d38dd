import { bind } from './bind.ts';
import { typeError, valueError } from './error.ts';
import type { Filter } from './filter.ts';
import { escapeHtml } from './html.ts';
import { str } from './repr.ts';
import { isStr, joined, lengthOf, positionOf, type Str, sliceText, textOf, withMarkup } from './text.ts';
import { whitespace } from './unicode.ts';
import { indexOf, toArray, truthy, type Value } from './value.ts';

// What jinja2.utils.urlize looks for; `w` is what Python's `\w` takes.
const w = '\\p{L}\\p{N}_';
const httpPattern = new RegExp(
  [
    `^((https?://|www\\.)(([${w}%-]+\\.)+)?([a-z]{2,63}|xn--[${w}%]{2,59})`,
    `|([${w}%-]{2,63}\\.)+(com|net|int|edu|gov|org|info|mil)`,
    '|(https?://)((\\p{Nd}{1,3}(\\.\\p{Nd}{1,3}){3})|(\\[([\\p{Nd}a-f]{0,4}:){2}([\\p{Nd}a-f]{0,4}:?){1,6}\\])))',
    `(?::\\p{Nd}{1,5})?(?:[/?#][^${whitespace}]*)?$`,
  ].join(''),
  'iu',
);
const emailPattern = new RegExp(`^[^${whitespace}]+@[${w}][${w}.-]*\\.[${w}]+$`, 'u');
const schemePattern = new RegExp(`^[${w}.+-]{2,}:/{0,2}$`, 'u');
const words = new RegExp(`([${whitespace}]+)`);
const leading = /^(?:[(<]|&lt;)+/;
const trailing = /(?:[)>.,\n]|&gt;)+$/;

/** Links as HTML, as jinja2 makes them; the text of a link keeps its sources. */
export const urlize: Filter = (value, args, kwargs) => {
  const parameters = ['trim_url_limit', 'nofollow', 'target', 'rel', 'extra_schemes'];
  const [limit = null, nofollow = false, target = null, rel = null, extra = null] = bind(
    { name: 'urlize', parameters },
    args,
    kwargs,
  );
  const rels = new Set(truthy(rel) ? spaced(rel) : []);
  if (truthy(nofollow)) rels.add('nofollow');
  rels.add('noopener');
  const schemes = extra === null ? [] : toArray(extra).map((scheme) => textOf(schemeText(scheme)));
  const options = {
    limit: limit === null ? undefined : indexOf(limit, 'trim_url_limit'),
    attributes: joined([
      attribute('rel', [...rels].sort().join(' ')),
      truthy(target) ? attribute('target', target) : '',
    ]),
    schemes,
  };
  const text = withMarkup(escapeHtml(value), false);
  const parts: Str[] = [];
  let position = 0;
  for (const word of textOf(text).split(words)) {
    const piece = sliceText(text, position, position + word.length);
    position += word.length;
    parts.push(linked(piece, options));
  }
  return joined(parts);
};

interface LinkOptions {
  readonly limit: number | undefined;
  readonly attributes: Str;
  readonly schemes: readonly string[];
}

function spaced(value: Value): string[] {
  if (!isStr(value)) throw typeError('rel must be a str');
  return textOf(value)
    .split(words)
    .filter((word) => word.trim() !== '');
}

function schemeText(value: Value): Str {
  if (!isStr(value)) throw typeError('a scheme must be a str');
  if (!schemePattern.test(textOf(value))) throw valueError(`'${textOf(value)}' is not a valid URI scheme prefix.`);
  return value;
}

function attribute(name: string, value: Value): Str {
  return joined([` ${name}="`, str(escapeHtml(value)), '"']);
}

function linked(word: Str, { limit, attributes, schemes }: LinkOptions): Str {
  const raw = textOf(word);
  const start = leading.exec(raw)?.[0].length ?? 0;
  let end = start + (trailing.exec(raw.slice(start))?.index ?? raw.length - start);
  for (const [open, close] of [
    ['(', ')'],
    ['<', '>'],
    ['&lt;', '&gt;'],
  ] as const) {
    const opened = count(raw.slice(start, end), open);
    if (opened <= count(raw.slice(start, end), close)) continue;
    for (let moves = Math.min(opened, count(raw.slice(end), close)); moves > 0; moves--)
      end += raw.slice(end).indexOf(close) + close.length;
  }
  const middle = sliceText(word, start, end);
  const link = linkOf(middle, { limit, attributes, schemes });
  return link === undefined ? word : joined([sliceText(word, 0, start), link, sliceText(word, end, raw.length)]);
}

function linkOf(middle: Str, { limit, attributes, schemes }: LinkOptions): Str | undefined {
  const raw = textOf(middle);
  const shown = (): Str =>
    limit !== undefined && lengthOf(middle) > limit
      ? joined([
          sliceText(
            middle,
            0,
            limit < 0 ? positionOf(raw, Math.max(0, lengthOf(middle) + limit)) : positionOf(raw, limit),
          ),
          '...',
        ])
      : middle;
  if (httpPattern.test(raw)) {
    const scheme = raw.startsWith('https://') || raw.startsWith('http://') ? '' : 'https://';
    return joined([`<a href="${scheme}`, middle, '"', attributes, '>', shown(), '</a>']);
  }
  if (raw.startsWith('mailto:') && emailPattern.test(raw.slice(7)))
    return joined(['<a href="', middle, '">', sliceText(middle, 7, raw.length), '</a>']);
  const isAddress = raw.includes('@') && !raw.startsWith('www.') && !raw.startsWith('@') && !raw.includes(':');
  if (isAddress && emailPattern.test(raw)) return joined(['<a href="mailto:', middle, '">', middle, '</a>']);
  // As jinja2 has it: each scheme that fits puts a link around what the one before made.
  let result: Str | undefined;
  for (const scheme of schemes) {
    const now: Str = result ?? middle;
    if (textOf(now) !== scheme && textOf(now).startsWith(scheme))
      result = joined(['<a href="', now, '"', attributes, '>', now, '</a>']);
  }
  return result;
}

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}
