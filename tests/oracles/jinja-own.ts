import { TemplateError } from '../../src/render/jinja/error.ts';
import { type ParsedJson, parseJson } from '../../src/render/jinja/json.ts';
import { compileJinja, type JinjaProgram } from '../../src/render/jinja/program.ts';
import { type Source, sourceTable, type TemplateData } from '../../src/render/messages.ts';

/** What became of one rendering; of errors only their being there is compared with Python. */
export type Result = { readonly text: string } | { readonly error: string };

export interface OwnResult {
  readonly text?: string;
  readonly error?: string;
  /** The kind of the error: `unsupported` is left out of comparisons. */
  readonly kind?: TemplateError['kind'];
  /** What is wrong with the provenance of the text, if anything. */
  readonly provenance?: string;
}

/** Compiles as `compileJinja`, a failure included: the template then fails for each of its inputs. */
export function compileOwn(template: string): JinjaProgram | OwnResult {
  return attempt(() => compileJinja(template));
}

export function renderOwn(program: JinjaProgram | OwnResult, variables: string, ...[now]: [now?: Date]): OwnResult {
  if (!('render' in program)) return program;
  const table = sourceTable();
  const data = parseJson(variables) as Record<string, ParsedJson>;
  const values = new Map(
    Object.entries(data).map(([name, value]) => [
      name,
      name === 'messages' && Array.isArray(value)
        ? table.messages(value as never)
        : table.variable(name, value as TemplateData),
    ]),
  );
  return attempt(() => {
    const { text, runs } = program.render(values, { now: () => now ?? new Date(0) });
    const provenance = provenanceFault({ text, runs, sources: table.sources, data });
    return provenance === undefined ? { text } : { text, provenance };
  });
}

function attempt<T>(work: () => T): T | OwnResult {
  try {
    return work();
  } catch (error) {
    if (error instanceof TemplateError) return { error: error.message, kind: error.kind };
    throw error;
  }
}

/** How ours differs from Python's answer, in words; nothing where they agree or cannot be compared. */
export function difference(own: OwnResult, python: Result): string | undefined {
  if (own.provenance !== undefined) return `provenance: ${own.provenance}`;
  if (!comparable(own)) return undefined;
  if ('error' in python)
    return own.text === undefined ? undefined : `Python: ${python.error}\n  ours: ${show(own.text)}`;
  if (own.text === python.text) return undefined;
  return `Python: ${show(python.text)}\n  ours: ${own.text === undefined ? own.error : show(own.text)}`;
}

/** Not what Martlet refuses by name: what Python prints by its address in memory, bytes, random choices. */
export function comparable(own: OwnResult): boolean {
  return own.kind !== 'unsupported';
}

function show(text: string): string {
  return JSON.stringify(text.length > 600 ? `${text.slice(0, 600)} ...` : text);
}

/**
 * Runs cover the text from its start without a gap; a run that names an offset has the very characters of its source
 * there; and the source is the string that stands at its path in what the template was given.
 */
export function provenanceFault(rendering: {
  readonly text: string;
  readonly runs: readonly number[];
  readonly sources: readonly Source[];
  readonly data: Readonly<Record<string, ParsedJson>>;
}): string | undefined {
  const { text, runs, sources, data } = rendering;
  if (text !== '' && runs[0] !== 0) return 'the text does not start with a run';
  const checked = new Set<number>();
  for (let i = 0; i < runs.length; i += 3) {
    const [start, index, offset] = runs.slice(i, i + 3) as [number, number, number];
    const end = runs[i + 3] ?? text.length;
    if (end <= start) return `a run from ${start} to ${end}`;
    if (index < 0) continue;
    const source = sources[index];
    if (!source) return `a run of source ${index}, of ${sources.length}`;
    if (offset >= 0 && source.text.slice(offset, offset + end - start) !== text.slice(start, end))
      return `${show(text.slice(start, end))} is not at ${offset} of ${source.path}`;
    if (!checked.has(index) && fieldText(source, data) !== source.text)
      return `no ${source.path} that says ${source.text}`;
    checked.add(index);
  }
  return undefined;
}

/** The string at a source's path: a field of a message or variable, or (with `#`) the name of the last field. */
function fieldText(source: Source, data: Readonly<Record<string, ParsedJson>>): unknown {
  const messages = data.messages as readonly ParsedJson[] | undefined;
  const root = source.kind === 'message' ? { '': messages?.[source.index] } : data;
  const name = source.path.endsWith('#');
  const path = name ? source.path.slice(0, -1) : source.path;
  return walk(root, source.kind === 'message' ? `.${path}` : path, name);
}

/** Names may hold dots and brackets themselves, so each prefix that is a key is tried. */
function walk(value: unknown, ...[path, wantName]: [path: string, wantName: boolean]): unknown {
  if (path === '') return value;
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value)) {
    const [whole = '', index] = /^\[(\d+)\]\.?/.exec(path) ?? [];
    return whole === '' ? undefined : walk(value[Number(index)], path.slice(whole.length), wantName);
  }
  for (const [key, item] of Object.entries(value)) {
    if (path === key) return wantName ? key : item;
    if (!path.startsWith(key) || !/^[.[]/.test(path.slice(key.length))) continue;
    const found = walk(item, path.slice(key.length).replace(/^\./, ''), wantName);
    if (found !== undefined) return found;
  }
  return undefined;
}
