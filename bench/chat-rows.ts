import { open } from 'node:fs/promises';
import { type RandomStream, randomStream, streamKey } from '../src/core/random.ts';

export interface ChatRowsRequest {
  readonly file: string;
  /** The file ends with the row that reaches this. */
  readonly bytes: number;
  readonly seed: number;
  /** Words in the order of how often they are used. */
  readonly words: readonly string[];
}

/**
 * Conversations that look like real ones: one to six turns, lengths of long tail, prose in which words are as frequent as
 * in language (Zipf, 1935), names nobody saw before, figures, dates, lists, code, a little of other scripts and emoji.
 * Equal requests give equal bytes.
 */
export async function writeChatRows({ file, bytes, seed, words }: ChatRowsRequest): Promise<{ rows: number }> {
  const draw = frequentFirst(words.length);
  await using handle = await open(file, 'w');
  let written = 0;
  let rows = 0;
  let lines: string[] = [];
  while (written < bytes) {
    const random = randomStream(streamKey(seed, rows));
    const line = `${JSON.stringify({ messages: conversation({ random, words, draw }) })}\n`;
    lines.push(line);
    written += Buffer.byteLength(line);
    rows++;
    if (lines.length < 1000) continue;
    await handle.write(lines.join(''));
    lines = [];
  }
  await handle.write(lines.join(''));
  return { rows };
}

interface Speech {
  readonly random: RandomStream;
  readonly words: readonly string[];
  readonly draw: (random: RandomStream) => number;
}

interface Message {
  readonly role: string;
  readonly content: string;
}

function conversation(speech: Speech): Message[] {
  const { random } = speech;
  const messages: Message[] = [];
  if (random.below(10) < 3) messages.push({ role: 'system', content: prose(speech, 8 + random.below(40)) });
  const turns = 1 + Math.min(random.below(6), random.below(6));
  for (let turn = 0; turn < turns; turn++) {
    messages.push({ role: 'user', content: prose(speech, longTailed(random, 22, 160)) });
    messages.push({ role: 'assistant', content: answer(speech, longTailed(random, 90, 320)) });
  }
  return messages;
}

/** Log-normal about a median, cut at the most. */
function longTailed(random: RandomStream, median: number, most: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());
  return Math.max(3, Math.min(most, Math.round(median * Math.exp(0.8 * normal))));
}

function answer(speech: Speech, length: number): string {
  const { random } = speech;
  const kind = random.below(10);
  if (kind === 0) return `${prose(speech, 15)}\n\n${code(speech, 3 + random.below(12))}\n\n${prose(speech, 20)}`;
  if (kind < 3) {
    const items = Array.from(
      { length: 3 + random.below(5) },
      (_, index) => `${index + 1}. ${prose(speech, length / 6)}`,
    );
    return `${prose(speech, 12)}\n\n${items.join('\n')}`;
  }
  const paragraphs = 1 + Math.floor(length / 80);
  return Array.from({ length: paragraphs }, () => prose(speech, length / paragraphs)).join('\n\n');
}

/** About so many words, in sentences. */
function prose(speech: Speech, length: number): string {
  const { random } = speech;
  const sentences: string[] = [];
  for (let left = Math.max(3, Math.round(length)); left > 0; ) {
    const count = Math.min(left, 4 + random.below(20));
    left -= count;
    const parts = Array.from({ length: count }, (_, index) => {
      const part = word(speech);
      return index < count - 1 && random.below(12) === 0 ? `${part},` : part;
    });
    const text = parts.join(' ');
    sentences.push(
      text.charAt(0).toUpperCase() + text.slice(1) + (['?', '!', '.', '.', '.', '.', ':'][random.below(7)] ?? '.'),
    );
  }
  return sentences.join(' ');
}

const foreign = [
  'naïve',
  'Zürich',
  'café',
  'für',
  'señor',
  'Москва',
  '東京',
  '市场',
  '😀',
  '🚀',
  '→',
  '“so”',
  '—',
  'it’s',
];

function word(speech: Speech): string {
  const { random, words, draw } = speech;
  const common = (): string => words[draw(random)] ?? 'the';
  const rare = (): string => words[random.below(words.length)] ?? 'the';
  const kind = random.below(200);
  if (kind < 3) return figure(random);
  // A name or a term that stands nowhere else.
  if (kind < 5) return rare().charAt(0).toUpperCase() + rare().slice(1) + rare().toLowerCase();
  if (kind === 7) return foreign[random.below(foreign.length)] ?? '';
  if (kind === 8) return `https://${rare()}.com/${rare()}/${random.below(1e5)}`.toLowerCase();
  if (kind === 9) return `${common()}'s`;
  if (kind === 10) return `**${common()}**`;
  return common();
}

function figure(random: RandomStream): string {
  const number = random.below(1e6);
  const kinds = [
    `${number}`,
    `${(number / 100).toFixed(2)}`,
    `$${(number % 1000).toFixed(1)} million`,
    `${number % 100}%`,
    `20${10 + (number % 15)}-0${1 + (number % 9)}-${10 + (number % 18)}`,
  ];
  return kinds[random.below(kinds.length)] ?? '';
}

function code(speech: Speech, lines: number): string {
  const { random } = speech;
  const name = (): string => (speech.words[speech.draw(random)] ?? 'x').toLowerCase().replace(/\W/g, '') || 'x';
  const body = Array.from({ length: lines }, () => {
    const indent = '    '.repeat(1 + random.below(3));
    const forms = [
      `${name()}_${name()} = self.${name()}(${name()}, ${random.below(100)})`,
      `if ${name()} != "${name()} ${name()}":`,
      `return {"${name()}": ${name()}[${random.below(10)}], "${name()}": None}`,
      `for ${name()} in range(${random.below(50)}):  # ${name()} ${name()}`,
    ];
    return indent + (forms[random.below(forms.length)] ?? '');
  });
  return ['```python', `def ${name()}_${name()}(self, ${name()}):`, ...body, '```'].join('\n');
}

/** Ranks, each as frequent as in language: in proportion to 1 / (rank + 2.7). */
function frequentFirst(count: number): (random: RandomStream) => number {
  const sums = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank++) {
    sum += 1 / (rank + 2.7);
    sums[rank] = sum;
  }
  return (random) => {
    const wanted = random.uniform() * sum;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sums[middle] ?? 0) < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}
