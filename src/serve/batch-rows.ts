import { readFile } from 'node:fs/promises';
import { issuesError, MartletError } from '../core/error.ts';
import { fingerprint } from '../core/fingerprint.ts';
import type { Issue } from '../core/issue.ts';
import type { Json } from '../schema/common.ts';
import { type ChatRequest, readChatRequest } from './chat-request.ts';
import { isObject, issue, type JsonObject } from './request-issue.ts';

/** One row of a batch, ready to be asked. */
export interface BatchRow {
  /** Where it stands in the file, counted from 1. */
  readonly line: number;
  /** Fingerprint of the row and of how it is asked. */
  readonly digest: string;
  readonly chat: ChatRequest;
}

/** How every row is asked, in OpenAI's words. */
export interface BatchSettings {
  readonly model: string;
  readonly temperature: number;
  readonly seed: number;
  readonly top_p?: number;
  readonly max_tokens?: number;
}

/**
 * Rows with `messages` (and `tools`), or with a `prompt`, one JSON object a line. An answer at the end of the messages, as
 * training rows have it, is left out: it is what is asked for.
 * @throws MartletError with everything that is wrong with any row, each with its line
 */
export function readBatchRows(text: string, file: string, settings: BatchSettings): BatchRow[] {
  const issues: Issue[] = [];
  const rows = text.split('\n').flatMap((raw, index): BatchRow[] => {
    if (raw.trim() === '') return [];
    const place = { file, line: index + 1, column: 1 };
    const row = parse(raw);
    if (!isObject(row)) {
      issues.push({ ...issue([], 'the line is no JSON object.', '{"messages": [...]} or {"prompt": "..."}'), place });
      return [];
    }
    const messages = messagesOf(row);
    const read = readChatRequest({ ...settings, messages, ...(row.tools === undefined ? {} : { tools: row.tools }) });
    if (!read.ok) {
      issues.push(...read.issues.map((each) => ({ ...each, place })));
      return [];
    }
    const digest = fingerprint({ ...settings, messages, tools: row.tools });
    return [{ line: index + 1, digest, chat: read.value }];
  });
  if (issues.length > 0) throw issuesError(file, issues);
  if (rows.length === 0) throw new MartletError('no-rows', `${file} has no rows`);
  return rows;
}

function messagesOf(row: JsonObject): Json {
  if (typeof row.prompt === 'string' && row.messages === undefined) return [{ role: 'user', content: row.prompt }];
  const messages = row.messages ?? null;
  const last = Array.isArray(messages) ? messages.at(-1) : undefined;
  return Array.isArray(messages) && isObject(last) && last.role === 'assistant' ? messages.slice(0, -1) : messages;
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
