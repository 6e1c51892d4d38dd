import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { issuesError, MartletError } from '../core/error.ts';
import { formatCount } from '../core/units.ts';
import { martletHome } from '../envs/home.ts';
import { readChatTemplate, readSpecialTokens } from '../models/chat-template.ts';
import { readStopTokens } from '../models/encoder.ts';
import { resolveModel } from '../models/resolve.ts';
import { openTokenizer } from '../models/tokenizer.ts';
import { learnIssues } from '../recipe/index.ts';
import { compileTemplate, type RenderedRow, type RenderRowOptions, renderRow } from '../render/index.ts';
import type { CliContext } from './context.ts';
import { givenFileFailure, readGivenFile } from './given-file.ts';

export interface RenderRowsOptions {
  readonly template: string;
  readonly input: string;
  readonly tokenizer?: string;
  readonly learn: string;
  readonly output?: string;
  readonly now?: string;
  readonly json?: true;
}

/**
 * Renders a file of rows, one line of JSON each, as they come: memory holds one row. A row that fails is a line with its
 * error. A template that does not compile fails every row, and the command.
 */
export async function renderRows(context: CliContext, options: RenderRowsOptions): Promise<void> {
  const wrong = learnIssues(options.learn, ['--learn']);
  if (wrong.length > 0) throw issuesError('--learn', wrong);
  const now = options.now === undefined ? context.now() : momentOf(options.now);
  const found = await findTemplate(options, context);
  const render = rowRenderer({ ...found, now, learn: options.learn });
  await using output = await openOutput(options, context);
  const counts = { rows: 0, failed: 0, remarked: 0 };
  let first = '';
  for await (const line of linesOf(options.input, context)) {
    const { remark, ...row }: RenderedRow =
      line === null
        ? { text: null, error: { code: 'not-utf8', message: 'the line is not UTF-8' }, spans: [] }
        : render.row(line);
    counts.rows++;
    if (row.error) counts.failed++;
    if (remark && counts.remarked++ === 0) first = `row ${formatCount(counts.rows)}, ${remark}`;
    await output.write(`${JSON.stringify(row)}\n`);
  }
  await output.end();
  if (!options.json) {
    context.err(`${formatCount(counts.rows)} rows, ${formatCount(counts.failed)} failed\n`);
    if (counts.remarked > 0)
      context.err(
        `${formatCount(counts.remarked)} with an empty text for what is not there, as in Python; the first: ${first}\n`,
      );
  }
  if (render.broken) throw render.broken;
}

/** @throws MartletError `wrong-value` */
function momentOf(text: string): Date {
  const zoned = /(?:[zZ]|[+-]\d{2}:?\d{2})$/.test(text) || !text.includes('T') ? text : `${text}Z`;
  const moment = new Date(zoned);
  if (!Number.isNaN(moment.getTime())) return moment;
  throw new MartletError('wrong-value', `--now ${text} is no moment`, { hint: 'Write 2026-03-05T14:07:09Z.' });
}

interface Found {
  readonly source: string;
  readonly specialTokens: Readonly<Record<string, string>>;
  readonly tokens?: Omit<NonNullable<RenderRowOptions['tokens']>, 'learn'>;
}

/** Whether what was given can only be meant as a template's file: it is no address, nor `organisation/name`. */
const isNoModel = (template: string): boolean =>
  !/^[a-z]{2,}:/i.test(template) && (!template.includes('/') || /\.(jinja2?|j2|tmpl|txt|html?|json)$/i.test(template));

async function findTemplate(options: RenderRowsOptions, context: CliContext): Promise<Found> {
  const folderOf = async (address: string): Promise<string> => {
    const here = resolve(context.cwd, address);
    if ((await kindOf(here)) === 'folder') return here;
    const { cwd, env, signal } = context;
    const log = (line: string): void => context.err(`${line}\n`);
    return (await resolveModel({ addresses: [address], home: martletHome(env), env, cwd, log, signal })).folder;
  };
  const file = resolve(context.cwd, options.template);
  const isFile = (await kindOf(file)) === 'file' && extname(file) !== '.gguf';
  const tokenizerFolder = options.tokenizer === undefined ? undefined : await folderOf(options.tokenizer);
  if (isNoModel(options.template) && (await kindOf(file)) === undefined)
    await readGivenFile(options.template, { flag: '--template', cwd: context.cwd });
  const model = isFile ? undefined : await readChatTemplate(await folderOf(options.template));
  const specialTokens = {
    ...(tokenizerFolder !== undefined && (await readSpecialTokens(tokenizerFolder))),
    ...model?.specialTokens,
  };
  const tokenizer = tokenizerFolder === undefined ? undefined : await openTokenizer(tokenizerFolder);
  return {
    source: model?.source ?? (await readGivenFile(options.template, { flag: '--template', cwd: context.cwd })),
    specialTokens,
    ...(tokenizer && {
      tokens: { tokenizer, stopTokens: await readStopTokens(tokenizerFolder ?? '', { tokenizer, specialTokens }) },
    }),
  };
}

async function kindOf(path: string): Promise<'file' | 'folder' | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() ? 'folder' : found?.isFile() ? 'file' : undefined;
}

interface RowRenderer {
  row(line: string): RenderedRow;
  /** Why the template does not compile; every row then fails with it. */
  readonly broken?: MartletError;
}

function rowRenderer({ source, specialTokens, tokens, now, learn }: Found & { now: Date; learn: string }): RowRenderer {
  try {
    const template = compileTemplate(source);
    const options: RenderRowOptions = { template, specialTokens, now, ...(tokens && { tokens: { ...tokens, learn } }) };
    return { row: (line) => renderRow(line, options) };
  } catch (error) {
    if (!MartletError.is(error) || error.code !== 'template-syntax') throw error;
    const { code, message } = error;
    return { row: () => ({ text: null, error: { code, message }, spans: [] }), broken: error };
  }
}

/** Lines of a file that hold anything, without their ends; null for one that is not UTF-8. */
async function* linesOf(file: string, { cwd, stdin, signal }: CliContext): AsyncGenerator<string | null> {
  const stream = file === '-' ? stdin : createReadStream(resolve(cwd, file), { highWaterMark: 2 ** 18 });
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const decoded = (bytes: Uint8Array): string | null => {
    try {
      return decoder.decode(bytes);
    } catch (error) {
      if (error instanceof TypeError) return null;
      throw error;
    }
  };
  let pending: Uint8Array[] = [];
  for await (const chunk of chunksOf(stream, resolve(cwd, file))) {
    signal.throwIfAborted();
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    let start = 0;
    for (let feed = bytes.indexOf(10); feed >= 0; feed = bytes.indexOf(10, start)) {
      const line = decoded(Buffer.concat([...pending, bytes.subarray(start, feed)]));
      pending = [];
      start = feed + 1;
      if (line === null || line.trim() !== '') yield line;
    }
    if (start < bytes.length) pending.push(bytes.subarray(start));
  }
  const last = decoded(Buffer.concat(pending));
  if (last === null || last.trim() !== '') yield last;
}

async function* chunksOf(stream: NodeJS.ReadableStream, file: string): AsyncGenerator<Buffer | string> {
  try {
    yield* stream;
  } catch (error) {
    throw givenFileFailure(error, { file, flag: '--input', doing: 'read' });
  }
}

interface Output extends AsyncDisposable {
  write(text: string): Promise<void>;
  end(): Promise<void>;
}

const batchLength = 2 ** 16;

/** Lines in batches; to a file with its backpressure. */
async function openOutput({ output }: RenderRowsOptions, context: CliContext): Promise<Output> {
  const file = output === undefined ? '' : resolve(context.cwd, output);
  const stream = output === undefined ? undefined : createWriteStream(file);
  // Without a listener a failure would end the process; the next write throws it.
  stream?.on('error', () => undefined);
  const refused = (error: unknown): unknown => givenFileFailure(error, { file, flag: '--output', doing: 'write' });
  let batch = '';
  const flush = async (): Promise<void> => {
    const text = batch;
    batch = '';
    if (!stream) {
      context.out(text);
      return context.drained?.();
    }
    if (stream.errored) throw refused(stream.errored);
    if (!stream.write(text)) await once(stream, 'drain');
    if (stream.errored) throw refused(stream.errored);
  };
  return {
    async write(text) {
      batch += text;
      if (batch.length >= batchLength) await flush();
    },
    async end() {
      if (batch !== '') await flush();
      stream?.end();
      if (stream)
        await finished(stream).catch((error: unknown) => {
          throw refused(error);
        });
    },
    async [Symbol.asyncDispose]() {
      stream?.destroy();
    },
  };
}
