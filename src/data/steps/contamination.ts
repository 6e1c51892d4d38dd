import { readFileSync } from 'node:fs';
import { MartletError } from '../../core/error.ts';
import { optionsOf } from '../../schema/steps.ts';
import { byteOrderMarkLength } from '../../store/rows/raw-rows.ts';
import { defineStep } from './step.ts';
import { comparedWords, textsOf } from './texts.ts';

/** Rows that share a passage (so many words in a row, case and punctuation aside) with an evaluation set. */
export const contamination = defineStep({
  name: 'contamination',
  version: 1,
  options: optionsOf('contamination'),
  reads: ({ against }) => against,
  open({ against, words, action }) {
    const passages = passagesOf(against, words);
    return {
      kind: 'rows',
      apply(sample) {
        for (const { text, path } of textsOf(sample)) {
          const said = comparedWords(text);
          for (let at = 0; at + words <= said.length; at++) {
            const passage = said.slice(at, at + words).join(' ');
            const place = passages.get(hashText(passage));
            if (place === undefined) continue;
            const reason = `${path} shares a passage with ${against[place.file]}:${place.line}: "${passage}"`;
            return action === 'report'
              ? { changes: [reason] }
              : { drop: { fate: 'contaminated', code: 'contaminated', reason } };
          }
        }
        return null;
      },
    };
  },
});

interface Place {
  readonly file: number;
  readonly line: number;
}

/** Every passage of the files, by its hash (53 bits), with the first place it stands at. */
function passagesOf(files: readonly string[], words: number): ReadonlyMap<number, Place> {
  const passages = new Map<number, Place>();
  for (const [file, name] of files.entries()) {
    for (const [text, line] of textsIn(name)) {
      const said = comparedWords(text);
      for (let at = 0; at + words <= said.length; at++) {
        const key = hashText(said.slice(at, at + words).join(' '));
        if (!passages.has(key)) passages.set(key, { file, line });
      }
    }
  }
  return passages;
}

/** Two hashes of 32 bits, of which 53 are kept. */
function hashText(text: string): number {
  let a = 0x811c9dc5;
  let b = 0x9e3779b9;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b ^ unit, 0x85ebca6b);
    b ^= b >>> 13;
  }
  return (a >>> 0) * 2 ** 21 + (b >>> 11);
}

/** The texts of a file with their lines: every text in its rows when it is JSON or JSONL, else its lines. */
function* textsIn(file: string): Generator<readonly [text: string, line: number]> {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw new MartletError('file-unreadable', `cannot read ${file}`, {
      cause,
      hint: 'Check data.steps: contamination.',
    });
  }
  const text = bytes.toString('utf8', byteOrderMarkLength(bytes));
  if (/\.json$/i.test(file)) {
    for (const found of stringsIn(parsed(text, { file, line: 1 }))) yield [found, 1];
    return;
  }
  const isRows = /\.(jsonl|ndjson)$/i.test(file);
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    if (!isRows) yield [line, index + 1];
    else for (const found of stringsIn(parsed(line, { file, line: index + 1 }))) yield [found, index + 1];
  }
}

function parsed(text: string, { file, line }: { readonly file: string; readonly line: number }): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MartletError('not-json', `${file}:${line} is not JSON`, { cause, hint: 'Mend it, or name a text file.' });
  }
}

function* stringsIn(value: unknown): Generator<string> {
  if (typeof value === 'string') yield value;
  else if (typeof value === 'object' && value !== null)
    for (const member of Object.values(value)) yield* stringsIn(member);
}
