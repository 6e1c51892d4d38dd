import { alpaca, messages, sharegpt } from './formats/conversations.ts';
import { embedding } from './formats/embedding.ts';
import type { Reading, RowFormat } from './formats/format.ts';
import { classification, text } from './formats/plain.ts';
import { preference } from './formats/preference.ts';
import { query } from './formats/query.ts';
import type { JsonObject } from './strict-json.ts';

export type { Conversation, FormatName, Reading, RowFormat } from './formats/format.ts';

/** Every way rows are written; of readings that say the same, the first counts. */
export const formats: readonly RowFormat[] = [
  messages,
  sharegpt,
  alpaca,
  query,
  embedding,
  preference,
  classification,
  text,
];

export interface FormatReading {
  readonly format: RowFormat;
  readonly reading: Reading;
}

/** Every way the row could be meant: those that leave nothing to guess or, where there are none, the first weak one. */
export function readingsOf(row: JsonObject): readonly FormatReading[] {
  const all = formats.flatMap((format) => format.readings(row).map((reading) => ({ format, reading })));
  const strong = all.filter(({ reading }) => !reading.weak);
  if (strong.length > 0) return strong;
  const [first] = all;
  return all.filter(({ format }) => format === first?.format);
}
