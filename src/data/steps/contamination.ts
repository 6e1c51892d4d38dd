import { formatCount, formatCounted } from '../../core/units.ts';
import type { Sample } from '../../schema/sample.ts';
import { optionsOf } from '../../schema/steps.ts';
import { type ExamRow, readExams } from './exam-texts.ts';
import { defineStep } from './step.ts';
import { comparedWords, textsOf } from './texts.ts';

/**
 * Rows that share a passage (so many words in a row, case and punctuation aside) with an evaluation set, or hold a row of it
 * that is too short to have a passage.
 */
export const contamination = defineStep({
  name: 'contamination',
  version: 2,
  options: optionsOf('contamination'),
  reads: ({ against }) => against,
  async open({ against, words, action }) {
    const exams = examIndex(await readExams(against), words);
    return {
      kind: 'rows',
      notes: notesOf(exams, { against, words }),
      apply(sample) {
        const found = findExam(sample, exams);
        if (!found) return null;
        const reason = `${found.what} ${against[found.place.file]}:${found.place.line}: "${found.said}"`;
        return action === 'report'
          ? { changes: [reason] }
          : { drop: { fate: 'contaminated', code: 'contaminated', reason } };
      },
    };
  },
});

/** Fewer words than these, in a row of an exam, are said by chance. */
const fewestWords = 4;
/** A text of fewer words counts where it is all that a text of the row says: "yes" stands in many. */
const fewestInside = 3;

type Place = Pick<ExamRow, 'file' | 'line'>;

/** A row of an exam none of whose texts has a passage. */
interface ShortRow extends Place {
  /** Hashes of its texts, each once, with the number of its words. */
  readonly texts: ReadonlyMap<number, number>;
  /** Words of all of them. */
  readonly words: number;
  readonly said: string;
}

interface ExamIndex {
  /** Words of a passage. */
  readonly words: number;
  /** By hash, with the first place it stands at. */
  readonly passages: ReadonlyMap<number, Place>;
  /** Hashes of the texts of short rows. */
  readonly shortTexts: ReadonlySet<number>;
  /** Short rows by the hash of each text that is not said by chance; of all where there is none. */
  readonly short: ReadonlyMap<number, readonly ShortRow[]>;
  readonly texts: number;
  readonly shortRows: number;
  /** Rows that have too few words to be compared. */
  readonly leftOut: readonly Place[];
}

function examIndex(rows: readonly ExamRow[], words: number): ExamIndex {
  const passages = new Map<number, Place>();
  const shortTexts = new Set<number>();
  const short = new Map<number, ShortRow[]>();
  const leftOut: Place[] = [];
  let [texts, shortRows] = [0, 0];
  for (const { file, line, texts: given } of rows) {
    const place = { file, line };
    const said = given.map(comparedWords).filter(({ length }) => length > 0);
    texts += said.length;
    for (const text of said)
      for (let at = 0; at + words <= text.length; at++) {
        const key = hashWords(text, at, words);
        if (!passages.has(key)) passages.set(key, place);
      }
    if (said.some(({ length }) => length >= words)) continue;
    const own = new Map(said.map((text) => [hashWords(text, 0, text.length), text.length]));
    const sum = [...own.values()].reduce((total, length) => total + length, 0);
    if (sum < fewestWords) {
      if (given.length > 0) leftOut.push(place);
      continue;
    }
    shortRows++;
    const row = { ...place, texts: own, words: sum, said: said.map((text) => text.join(' ')).join(' | ') };
    const telling = [...own].filter(([, length]) => length >= fewestInside);
    for (const [key] of telling.length > 0 ? telling : own) {
      const known = short.get(key);
      if (known) known.push(row);
      else short.set(key, [row]);
    }
    for (const key of own.keys()) shortTexts.add(key);
  }
  return { words, passages, shortTexts, short, texts, shortRows, leftOut };
}

/** What the data is compared with, and what of the exams cannot be. */
function notesOf(
  { texts, passages, shortRows, leftOut }: ExamIndex,
  { against, words }: { readonly against: readonly string[]; readonly words: number },
): readonly string[] {
  const [first] = leftOut;
  return [
    `compared with ${formatCounted(texts, 'text')} of ${against.join(', ')}: ${formatCounted(passages.size, 'passage')} of ${words} words, and ${formatCounted(shortRows, 'shorter row')} as a whole`,
    ...(first
      ? [
          `${formatCounted(leftOut.length, 'row')} of the evaluation sets cannot be compared, with fewer than ${formatCount(fewestWords)} words; the first: ${against[first.file]}:${first.line}`,
        ]
      : []),
  ];
}

interface Found {
  readonly place: Place;
  readonly what: string;
  readonly said: string;
}

/**
 * A short row is held by one that says more than half of its words, in texts that stand in it whole, and at least two of its
 * texts where it has two: its question with its answer, whatever else the exam notes beside them.
 */
function findExam(sample: Sample, { words, passages, shortTexts, short }: ExamIndex): Found | undefined {
  const held = new Set<number>();
  for (const { text, path } of textsOf(sample)) {
    const said = comparedWords(text);
    for (let at = 0; at < said.length; at++) {
      const longest = Math.min(words, said.length - at);
      const hash = startHash();
      for (let length = 1; length <= longest; length++) {
        hash.add(said[at + length - 1] ?? '');
        if (length < words && shortTexts.size === 0) continue;
        const key = hash.value();
        const place = length === words ? passages.get(key) : undefined;
        if (place)
          return {
            place,
            what: `${path} shares a passage with`,
            said: said.slice(at, at + words).join(' '),
          };
        if (shortTexts.has(key) && (length >= fewestInside || length === said.length)) held.add(key);
      }
    }
  }
  for (const key of held)
    for (const row of short.get(key) ?? []) {
      const own = [...row.texts].filter(([text]) => held.has(text));
      const sum = own.reduce((total, [, length]) => total + length, 0);
      if (sum * 2 > row.words && own.length >= Math.min(2, row.texts.size))
        return { place: row, what: 'holds the whole of', said: row.said };
    }
  return undefined;
}

function hashWords(words: readonly string[], ...[at, count]: [at: number, count: number]): number {
  const hash = startHash();
  for (let index = at; index < at + count; index++) hash.add(words[index] ?? '');
  return hash.value();
}

/** Of words one after the other: two hashes of 32 bits, of which 53 are kept. */
function startHash() {
  let a = 0x811c9dc5;
  let b = 0x9e3779b9;
  const take = (unit: number): void => {
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b ^ unit, 0x85ebca6b);
    b ^= b >>> 13;
  };
  return {
    add(word: string): void {
      for (let i = 0; i < word.length; i++) take(word.charCodeAt(i));
      take(32);
    },
    value: (): number => (a >>> 0) * 2 ** 21 + (b >>> 11),
  };
}
