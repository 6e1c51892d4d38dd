import { readFile } from 'node:fs/promises';
import { MartletError } from '../core/error.ts';
import { fingerprint } from '../core/fingerprint.ts';
import type { Checked } from '../core/issue.ts';
import { chatBody, chatBodyText } from '../models/chat-body.ts';
import type { Conversation } from '../models/encoder.ts';
import type { Json } from '../schema/common.ts';
import { type ChatRequest, readChatRequest } from './chat-request.ts';
import { isObject } from './request-issue.ts';

/** One row of a batch, ready to be asked. */
export interface BatchRow {
  readonly file: string;
  /** Where it stands in the file, counted from 1. */
  readonly line: number;
  /** Fingerprint of the row and of how it is asked. */
  readonly digest: string;
  readonly chat: Omit<ChatRequest, 'model'>;
}

/** How every row is asked, in OpenAI's words. */
export interface BatchSettings {
  readonly temperature: number;
  readonly seed: number;
  readonly top_p?: number;
  readonly max_tokens?: number;
}

/**
 * A row's conversation as a question. An answer at its end, as training rows have it, is left out: it is what is asked for.
 */
export function batchRow(
  conversation: Conversation,
  { file, line, settings }: { readonly file: string; readonly line: number; readonly settings: BatchSettings },
): Checked<BatchRow> {
  const { messages } = conversation;
  const asked = messages.at(-1)?.role === 'assistant' ? messages.slice(0, -1) : messages;
  const body = chatBody({ ...conversation, messages: asked });
  // Whom it asks is known later, and decides nothing here.
  const text = chatBodyText(body, { ...settings, model: 'any' });
  const read = readChatRequest(JSON.parse(text) as Json, text);
  if (!read.ok) return read;
  return { ...read, value: { file, line, digest: fingerprint({ ...settings, ...body }), chat: read.value } };
}

function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/**
 * What an earlier run has answered, so that this one goes on behind it.
 * @param digests of the answers to be, row by row
 * @returns how many rows are answered, and the length in bytes of the lines that say so: a line that was cut short does not
 * @throws MartletError `output-differs` when the answers are to other rows
 */
export async function answeredRows(
  file: string,
  digests: readonly string[],
): Promise<{ readonly count: number; readonly bytes: number }> {
  const content = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  });
  const bytes = content.lastIndexOf(0x0a) + 1;
  const lines = content.toString('utf8', 0, bytes).split('\n').slice(0, -1);
  lines.forEach((line, index) => {
    const answer = parse(line);
    if (isObject(answer) && answer.digest !== undefined && answer.digest === digests[index]) return;
    throw new MartletError(
      'output-differs',
      `${file}:${index + 1} does not answer row ${index + 1} as it is asked now`,
      {
        hint: 'The rows, the settings or the model have changed. Choose another --output, or remove the file.',
      },
    );
  });
  return { count: lines.length, bytes };
}
