/** Python's view of characters, where JavaScript's differs. */

/** What `str.isspace` accepts; JavaScript's `\s` has U+FEFF too and lacks U+001C to U+001F and U+0085. */
export const whitespace = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';

export const leadingSpace = new RegExp(`^[${whitespace}]*`);
export const onlySpace = new RegExp(`^[${whitespace}]+$`);
export const lineBreak = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/g;

const spaceUnit = new RegExp(`[${whitespace}]`);

export function isSpaceUnit(unit: string): boolean {
  return spaceUnit.test(unit);
}

/** Decimal digits of other scripts as ASCII's, as Python's `int` reads them. */
export function asciiDigits(text: string): string {
  return /^[\x00-\x7f]*$/.test(text) ? text : text.replace(/\p{Nd}/gu, (digit) => String(digitValue(digit)));
}

function digitValue(digit: string): number {
  const code = digit.codePointAt(0) ?? 0;
  // Five sets of digits in a row; all others stand alone, ten in a row.
  if (code >= 0x1d7ce && code <= 0x1d7ff) return (code - 0x1d7ce) % 10;
  let value = 0;
  while (value < 9 && /\p{Nd}/u.test(String.fromCodePoint(code - value - 1))) value++;
  return value;
}

// The only letters whose title case is neither their lower nor their upper case.
const digraphs: Readonly<Record<string, string>> = {
  '\u01c4': '\u01c5',
  '\u01c7': '\u01c8',
  '\u01ca': '\u01cb',
  '\u01f1': '\u01f2',
};

export function titleCase(character: string): string {
  if (/[\u10d0-\u10ff]/.test(character)) return character;
  const upper = character.toUpperCase();
  const digraph = digraphs[upper];
  if (digraph) return digraph;
  // A small iota below a letter stays below it.
  if (upper.length > 1 && upper.endsWith(capitalIota)) {
    const below = `${upper.slice(0, -1)}\u0345`;
    return below.length === 2 ? below.normalize('NFC') : below;
  }
  const start = upper.search(/\p{Cased}/u) + 1;
  return upper.slice(0, start) + upper.slice(start).toLowerCase();
}

const capitalIota = '\u0399';

/** Python's `str.casefold`: what compares equal whatever its case, character by character. */
export function caseFold(text: string): string {
  return eachCharacter(text, (character) => {
    if (character === '\u0131') return character;
    const upper = character.toLowerCase().toUpperCase();
    // Cherokee had its capitals first.
    return /\p{Script=Cherokee}/u.test(character) ? upper : upper.toLowerCase();
  });
}

/** Python's `str.title`: a letter after no letter is raised, all others lowered. */
export function title(text: string): string {
  let afterCased = false;
  return eachCharacter(text, (character, at) => {
    const changed = afterCased ? lowerAt(text, at, character) : titleCase(character);
    afterCased = isCased(character);
    return changed;
  });
}

export function capitalize(text: string): string {
  return eachCharacter(text, (character, at) => (at === 0 ? titleCase(character) : lowerAt(text, at, character)));
}

export function swapCase(text: string): string {
  return eachCharacter(text, (character, at) =>
    /\p{Uppercase}/u.test(character)
      ? lowerAt(text, at, character)
      : /\p{Lowercase}/u.test(character)
        ? character.toUpperCase()
        : character,
  );
}

function eachCharacter(text: string, change: (character: string, at: number) => string): string {
  let result = '';
  let at = 0;
  for (const character of text) {
    result += change(character, at);
    at += character.length;
  }
  return result;
}

/** The lower case of a character where it stands: a sigma at the end of a word has a form of its own. */
function lowerAt(text: string, ...[at, character]: [number, string]): string {
  if (character !== 'Σ') return character.toLowerCase();
  const behindLetter = /\p{Cased}\p{Case_Ignorable}*$/u.test(text.slice(0, at));
  const beforeLetter = /^\p{Case_Ignorable}*\p{Cased}/u.test(text.slice(at + 1));
  return behindLetter && !beforeLetter ? 'ς' : 'σ';
}

function isCased(character: string): boolean {
  return /[\p{Lowercase}\p{Uppercase}\p{Lt}]/u.test(character);
}

export function isLower(text: string): boolean {
  return /\p{Lowercase}/u.test(text) && !/[\p{Uppercase}\p{Lt}]/u.test(text);
}

export function isUpper(text: string): boolean {
  return /\p{Uppercase}/u.test(text) && !/[\p{Lowercase}\p{Lt}]/u.test(text);
}

export function isTitle(text: string): boolean {
  let afterCased = false;
  let any = false;
  for (const character of text) {
    if (/[\p{Uppercase}\p{Lt}]/u.test(character)) {
      if (afterCased) return false;
      any = true;
      afterCased = true;
    } else if (/\p{Lowercase}/u.test(character)) {
      if (!afterCased) return false;
      any = true;
    } else afterCased = false;
  }
  return any;
}

// Superscripts, subscripts and circled digits: Numeric_Type=Digit without being decimal.
const digit =
  '\\p{Nd}\\u00b2\\u00b3\\u00b9\\u1369-\\u1371\\u19da\\u2070\\u2074-\\u2079\\u2080-\\u2089\\u2460-\\u2468\\u2474-\\u247c\\u2488-\\u2490\\u24ea\\u24f5-\\u24fd\\u24ff\\u2776-\\u277e\\u2780-\\u2788\\u278a-\\u2792';
const cjkNumber = '〇一七万三九二五亿億兆八六十千四百零壱壹弐弍弎貳貮贰叁叄参參肆伍陆陸柒捌玖拾佰仟';

export const characterTests: Readonly<Record<string, RegExp>> = {
  isalpha: /^\p{L}+$/u,
  isdecimal: /^\p{Nd}+$/u,
  isdigit: new RegExp(`^[${digit}]+$`, 'u'),
  isnumeric: new RegExp(`^[\\p{N}${cjkNumber}]+$`, 'u'),
  isalnum: /^[\p{L}\p{N}]+$/u,
  isspace: onlySpace,
  isidentifier: /^[\p{XID_Start}_]\p{XID_Continue}*$/u,
};

export function isPrintable(text: string): boolean {
  return !/[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u.test(text);
}
