/** Columns whose values are lists or objects: in a table they can only stand as JSON text. */
const structured = new Set([
  ...['messages', 'conversations', 'conversation', 'history', 'tools', 'objects', 'facts', 'martlet', 'responses'],
  ...['chosen', 'rejected', 'rejected_messages', 'positive_messages', 'negative_messages', 'rejected_tools'],
  ...['images', 'audios', 'videos', 'rejected_images', 'env_config', 'chat_template_kwargs'],
]);
/** Columns whose values are numbers or yes and no. */
const measures = new Set(['label', 'margin', 'score', 'scores', 'rank', 'reward']);

/**
 * The JSON of one cell of a table (CSV, a database) that holds text. Text stays text, whatever it looks like, but for two
 * kinds of columns known by name: those that hold lists or objects, when the text is JSON, and those that hold a verdict.
 */
export function cellJson(column: string, text: string): string {
  if (structured.has(column) && /^\s*[[{]/.test(text) && isJson(text)) return text;
  if (measures.has(column)) {
    if (/^(true|false)$/i.test(text)) return text.toLowerCase();
    if (/^-?(0|[1-9]\d{0,14})(\.\d+)?$/.test(text)) return text;
    if (text === '') return 'null';
  }
  return JSON.stringify(text);
}

export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** A number that is not a whole number by its type keeps its point: 1.0. What JSON cannot write stands as it is read. */
export function floatJson(value: number): string {
  const text = String(value);
  return Number.isInteger(value) && !text.includes('e') ? `${text}.0` : text;
}

/** An exact decimal: as a number where a double gives the same digits back, else as text. */
export function decimalJson(text: string): string {
  const digits = text.replace(/[-.]/g, '').replace(/^0+/, '');
  return digits.length <= 15 ? text : JSON.stringify(text);
}

const magics: readonly (readonly [start: string, type: string])[] = [
  ['\x89PNG', 'image/png'],
  ['\xff\xd8\xff', 'image/jpeg'],
  ['GIF8', 'image/gif'],
  ['RIFF', 'image/webp'],
  ['OggS', 'audio/ogg'],
  ['fLaC', 'audio/flac'],
  ['ID3', 'audio/mpeg'],
];

/** Bytes of no declared kind: text where they are text, else a data URI. */
export function bytesJson(bytes: Uint8Array): string {
  const held = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const text = held.toString('utf8');
  if (!text.includes('\ufffd') && !/[\0-\x08\x0e-\x1f]/.test(text)) return JSON.stringify(text);
  const start = held.toString('latin1', 0, 12);
  const type =
    start.startsWith('RIFF') && start.endsWith('WAVE') ? 'audio/wav' : magics.find(([m]) => start.startsWith(m))?.[1];
  return `"data:${type ?? 'application/octet-stream'};base64,${held.toString('base64')}"`;
}
