import { isIP } from 'node:net';
import type { personalKinds } from '../../schema/steps.ts';

export type PersonalKind = (typeof personalKinds)[number];

export interface PersonalDatum {
  readonly kind: PersonalKind;
  /** In UTF-16 units. */
  readonly start: number;
  readonly end: number;
}

interface Detector {
  readonly kind: PersonalKind;
  readonly pattern: RegExp;
  readonly isOne: (match: string) => boolean;
}

/** In the order in which they are believed where two overlap: the surer ones first. */
const detectors: readonly Detector[] = [
  {
    kind: 'email',
    pattern:
      /(?<![\w.+-])[\p{L}\p{N}_][\p{L}\p{N}._%+-]{0,63}@(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.)+\p{L}{2,24}(?![\p{L}\p{N}])/gu,
    isOne: () => true,
  },
  { kind: 'iban', pattern: /(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]){11,30}(?![A-Za-z0-9])/g, isOne: isIban },
  { kind: 'card', pattern: /(?<![\d.,-])\d(?:[ -]?\d){11,18}(?![\d])(?![.,-]\d)/g, isOne: isCard },
  {
    kind: 'ip',
    pattern:
      /(?<!\b(?:version|release|build|v)[ .:]{0,2})(?<![\d.:A-Za-z])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f:]*:[0-9a-f:]*:[0-9a-f:.]*[0-9a-f])(?![\d:A-Za-z]|\.\d)/gi,
    isOne: isAddress,
  },
  { kind: 'national-id', pattern: /(?<![\d.,/-])\d{17}[\dX](?![\dA-Za-z])/g, isOne: isChineseId },
  { kind: 'national-id', pattern: /(?<![\w.,/-])(?:\d{8}|[XYZ]\d{7})[A-Z](?!\w)/g, isOne: isSpanishId },
  {
    kind: 'national-id',
    pattern: /(?<![\w.])[12]\d{2}(?:0[1-9]|1[0-2]|20)(?:\d{2}|2[AB])\d{6} ?\d{2}(?![\w.])/g,
    isOne: isFrenchId,
  },
  {
    kind: 'national-id',
    pattern: /(?<![\w.])[A-Z]{6}\d{2}[A-EHLMPR-T]\d{2}[A-Z]\d{3}[A-Z](?!\w)/g,
    isOne: isItalianCode,
  },
  { kind: 'national-id', pattern: /(?<![\w.,-])\d{3}\.\d{3}\.\d{3}-\d{2}(?![\w])/g, isOne: isBrazilianCpf },
  {
    kind: 'national-id',
    // US social security numbers, in the ranges that are given out.
    pattern: /(?<![\w.,/-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w]|[.,/-]\d|-)/g,
    isOne: () => true,
  },
  {
    kind: 'phone',
    pattern:
      /(?<![\w.,+/-])(?:\+|(?<!\d )00)[1-9]\d{0,2}(?:[ ./-]?\(?\d{1,5}\)?){2,6}(?![\w]|[.,-]\d)|(?<![\w.,+/-])\(?[2-9]\d{2}\)?[ .-][2-9]\d{2}[ .-]\d{4}(?![\w]|[.,-]\d)/g,
    isOne: (match) => {
      const digits = match.replace(/\D/g, '').length;
      return digits >= 8 && digits <= 15;
    },
  },
];

/** Personal data of these kinds, in order, none over another. */
export function findPersonal(text: string, kinds: ReadonlySet<PersonalKind>): readonly PersonalDatum[] {
  if (!/[@\d:]/.test(text)) return [];
  const found: PersonalDatum[] = [];
  for (const { kind, pattern, isOne } of detectors) {
    if (!kinds.has(kind)) continue;
    for (const match of text.matchAll(pattern)) {
      const start = match.index;
      const end = start + trimmed(match[0], kind);
      if (!isOne(text.slice(start, end)) || found.some((other) => start < other.end && other.start < end)) continue;
      found.push({ kind, start, end });
    }
  }
  return found.sort((a, b) => a.start - b.start);
}

/** An IBAN may be followed by words in capitals: its country says how long it is. */
function trimmed(match: string, kind: PersonalKind): number {
  if (kind !== 'iban') return match.length;
  const wanted = ibanLengths[match.slice(0, 2)] ?? 0;
  let seen = 0;
  for (let i = 0; i < match.length; i++) if (match[i] !== ' ' && ++seen === wanted) return i + 1;
  return match.length;
}

// The registry of ISO 13616, by country.
const ibanLengths: Readonly<Record<string, number>> = Object.fromEntries(
  'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20'
    .split(' ')
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);

/** ISO 7064, MOD 97-10. */
export function isIban(match: string): boolean {
  const text = match.replaceAll(' ', '');
  if (ibanLengths[text.slice(0, 2)] !== text.length) return false;
  const digits = (text.slice(4) + text.slice(0, 4)).replace(/[A-Z]/g, (letter) => String(letter.charCodeAt(0) - 55));
  let rest = 0;
  for (const digit of digits) rest = (rest * 10 + Number(digit)) % 97;
  return rest === 1;
}

/** Lengths and first digits of the schemes there are, and Luhn's sum (ISO/IEC 7812-1). */
export function isCard(match: string): boolean {
  const digits = match.replace(/\D/g, '');
  const scheme =
    /^(?:4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|6(?:011|4[4-9]\d|5\d\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}|(?:5018|5020|5038|6304|6759|676[1-3])\d{8,15})$/;
  return scheme.test(digits) && luhn(digits);
}

function luhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[digits.length - 1 - i]);
    const doubled = i % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** An address of the net; those that stand for nobody (this host, none, all, documentation) are left alone. */
function isAddress(match: string): boolean {
  const kind = isIP(match);
  if (kind === 4) return !/^(?:127\.|0\.|255\.255\.255\.255|192\.0\.2\.|198\.51\.100\.|203\.0\.113\.)/.test(match);
  return kind === 6 && match.replace(/[^0-9a-f]/gi, '').length >= 4 && !/^2001:0?db8:/i.test(match);
}

/** GB 11643: ISO 7064, MOD 11-2, and a date inside. */
export function isChineseId(match: string): boolean {
  const weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
  const month = Number(match.slice(10, 12));
  const day = Number(match.slice(12, 14));
  if (!/^(?:18|19|20)/.test(match.slice(6)) || month < 1 || month > 12 || day < 1 || day > 31) return false;
  const sum = weights.reduce((total, weight, index) => total + weight * Number(match[index]), 0);
  return '10X98765432'[sum % 11] === match[17];
}

/** DNI and NIE: the letter is the number modulo 23. */
export function isSpanishId(match: string): boolean {
  const number = Number(match.slice(0, -1).replace(/^[XYZ]/, (letter) => String('XYZ'.indexOf(letter))));
  return 'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23] === match.at(-1);
}

/** The social security number: a key of 97 less the number modulo 97; Corsica's letters count as 19 and 18. */
export function isFrenchId(match: string): boolean {
  const text = match.replaceAll(' ', '').replace('2A', '19').replace('2B', '18');
  return 97n - (BigInt(text.slice(0, 13)) % 97n) === BigInt(text.slice(13));
}

/** Codice fiscale (D.M. 23/12/1976): odd and even places have tables of their own. */
export function isItalianCode(match: string): boolean {
  const odd = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
  let sum = 0;
  for (let i = 0; i < 15; i++) {
    const code = match.charCodeAt(i);
    const value = code < 65 ? code - 48 : code - 65;
    sum += i % 2 === 0 ? (odd[value] ?? 0) : value;
  }
  return String.fromCharCode(65 + (sum % 26)) === match[15];
}

/** CPF: two check digits, each modulo 11. */
export function isBrazilianCpf(match: string): boolean {
  const digits = [...match.replace(/\D/g, '')].map(Number);
  if (new Set(digits).size === 1) return false;
  const check = (count: number): number => {
    const sum = digits.slice(0, count).reduce((total, digit, index) => total + digit * (count + 1 - index), 0);
    return ((sum * 10) % 11) % 10;
  };
  return check(9) === digits[9] && check(10) === digits[10];
}
