import type { ContentPart, Message, Sample } from '../../schema/sample.ts';

/** A text of a row, where it stands, and who says it. */
export interface RowText {
  readonly text: string;
  /** Such as `messages[1].content`. */
  readonly path: string;
  readonly role: Message['role'];
}

type Change = (text: RowText) => string;

const isMessage = (value: unknown): value is Message =>
  typeof value === 'object' && value !== null && 'role' in value && 'content' in value;

/** The row with every text of its messages put through `change`; the same object when none differs. */
export function mapTexts(sample: Sample, change: Change): Sample {
  const result: Record<string, unknown> = {};
  let differs = false;
  for (const [key, value] of Object.entries(sample)) {
    const mapped = key === 'provenance' || key === 'extra' ? value : mapTurns(value, key, change);
    if (mapped !== value) differs = true;
    result[key] = mapped;
  }
  return differs ? (result as Sample) : sample;
}

/** Every text of its messages, in order: contents, parts, reasoning. */
export function textsOf(sample: Sample): readonly RowText[] {
  const texts: RowText[] = [];
  mapTexts(sample, (text) => {
    texts.push(text);
    return text.text;
  });
  return texts;
}

/** Lists of messages, however deep; what is not one stays as it is. */
function mapTurns(value: unknown, ...[path, change]: [path: string, change: Change]): unknown {
  if (!Array.isArray(value)) return value;
  let differs = false;
  const mapped = value.map((item, index) => {
    const at = `${path}[${index}]`;
    const now = isMessage(item) ? mapMessage(item, at, change) : mapTurns(item, at, change);
    if (now !== item) differs = true;
    return now;
  });
  return differs ? mapped : value;
}

function mapMessage(message: Message, ...[path, change]: [path: string, change: Change]): Message {
  const { role, content, reasoning_content: reasoning } = message;
  const now =
    typeof content === 'string'
      ? change({ text: content, path: `${path}.content`, role })
      : content && mapParts(content, `${path}.content`, (text) => change({ ...text, role }));
  const thought =
    reasoning === undefined ? undefined : change({ text: reasoning, path: `${path}.reasoning_content`, role });
  if (now === content && thought === reasoning) return message;
  return { ...message, content: now, ...(thought !== undefined && { reasoning_content: thought }) };
}

function mapParts(
  parts: ContentPart[],
  ...[path, change]: [path: string, change: (text: Omit<RowText, 'role'>) => string]
): ContentPart[] {
  let differs = false;
  const mapped = parts.map((part, index) => {
    if (part.type !== 'text') return part;
    const text = change({ text: part.text, path: `${path}[${index}].text` });
    if (text === part.text) return part;
    differs = true;
    return { ...part, text };
  });
  return differs ? mapped : parts;
}

/** What a message says in words. */
export function wordsOfMessage({ content }: Message): string {
  if (typeof content === 'string') return content;
  return (content ?? []).flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n');
}

/** Lower-case words for comparing texts; a character of a script that has no spaces is a word of its own. */
export function comparedWords(text: string): string[] {
  return text.toLowerCase().match(/[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}]|[\p{L}\p{N}\p{M}]+/gu) ?? [];
}
