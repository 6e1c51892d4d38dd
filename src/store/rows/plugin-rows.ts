import { dirname } from 'node:path';
import { MartletError, messageOf } from '../../core/error.ts';
import type { Json } from '../../schema/common.ts';
import type { Source, SourceContext } from '../../spec/source.ts';
import { importOwnModule } from '../own-module.ts';
import { jsonRow } from './json-row.ts';
import { defaultMaxRowBytes, type RawRow } from './raw-rows.ts';

export const isPlugin = (file: string): boolean => /\.m?[jt]s$/.test(file);

export interface PluginRequest {
  /** Absolute path of the module. */
  readonly file: string;
  readonly options: { readonly [key: string]: Json };
  readonly maxRowBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The rows of a plug-in (see `spec/source`). Its code runs in this process, with all its rights.
 * @throws MartletError `source-plugin` for a module that is none, or for what it throws.
 */
export async function* readPluginRows(request: PluginRequest): AsyncGenerator<RawRow> {
  const { file, signal, maxRowBytes = defaultMaxRowBytes } = request;
  const source = await loadPlugin(file);
  let line = 0;
  try {
    for await (const row of await source.open(contextOf(request))) {
      signal?.throwIfAborted();
      line++;
      const text: string | undefined = JSON.stringify(row);
      if (text === undefined) throw new TypeError(`row ${line} is ${typeof row}, not an object`);
      yield jsonRow(text, line, maxRowBytes);
    }
  } catch (cause) {
    signal?.throwIfAborted();
    throw failed(source.name, file, `after row ${line}: ${messageOf(cause)}`, cause);
  }
}

/** How many rows it says it has; null when it does not say. */
export async function countPluginRows(request: PluginRequest): Promise<number | null> {
  const source = await loadPlugin(request.file);
  try {
    return (await source.count?.(contextOf(request))) ?? null;
  } catch (cause) {
    throw failed(source.name, request.file, `in count: ${messageOf(cause)}`, cause);
  }
}

function contextOf({ file, options, signal }: PluginRequest): SourceContext {
  return { folder: dirname(file), options, signal };
}

async function loadPlugin(file: string): Promise<Source> {
  let module: { readonly default?: unknown };
  try {
    module = (await importOwnModule(file)) as typeof module;
  } catch (cause) {
    throw notSource(file, `cannot be loaded: ${messageOf(cause)}`, cause);
  }
  const source = module.default as Partial<Source> | undefined;
  if (typeof source?.open === 'function' && typeof source.name === 'string') return source as Source;
  throw notSource(file, 'has no source as its default export');
}

const notSource = (file: string, what: string, cause?: unknown): MartletError =>
  new MartletError('source-plugin', `the source ${file} ${what}`, {
    cause,
    hint: 'It must be: export default defineSource({ name, open }).',
  });

/** What its own code threw. */
const failed = (name: string, ...[file, what, cause]: [string, string, unknown]): MartletError =>
  new MartletError('source-plugin', `the source ${name} (${file}) failed ${what}`, {
    cause,
    hint: 'Mend it there, or take the source out.',
  });
