import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TemplateError } from './jinja/error.ts';
import { type ParsedJson, parseJson } from './jinja/json.ts';
import { compileJinja } from './jinja/program.ts';
import { sourceTable, type TemplateData } from './messages.ts';

// What Python's jinja2 makes of these templates is written down by tests/oracles/jinja_golden.py.
const folder = join(import.meta.dirname, 'goldens');
const now = (): Date => new Date('2026-03-05T14:07:09Z');

type Result = { readonly text: string } | { readonly error: string };
type Conversation = Record<string, ParsedJson>;

function read<T>(name: string): T {
  return JSON.parse(readFileSync(join(folder, name), 'utf8')) as T;
}

/** The text, or the word that it failed: the messages of errors differ between the languages. */
function render(template: string, variables: Conversation): { text: string } | 'error' {
  const table = sourceTable();
  const values = new Map(
    Object.entries(variables).map(([name, value]) => [
      name,
      name === 'messages' ? table.messages(value as never) : table.variable(name, value as TemplateData),
    ]),
  );
  try {
    const { text, runs } = compileJinja(template).render(values, { now });
    checkRuns({ text, runs, sources: table.sources.map((source) => source.text) });
    return { text };
  } catch (error) {
    if (error instanceof TemplateError) return 'error';
    throw error;
  }
}

/** Runs lie one behind the other, and where one names an offset the characters are those of its source. */
function checkRuns({
  text,
  runs,
  sources,
}: {
  text: string;
  runs: readonly number[];
  sources: readonly string[];
}): void {
  for (let i = 0; i < runs.length; i += 3) {
    const [start, source, offset] = runs.slice(i, i + 3) as [number, number, number];
    const end = runs[i + 3] ?? text.length;
    if (i === 0) expect(start).toBe(0);
    expect(end).toBeGreaterThan(start);
    if (source < 0 || offset < 0) continue;
    expect(sources[source]?.slice(offset, offset + end - start)).toBe(text.slice(start, end));
  }
}

function expected(result: Result): { text: string } | 'error' {
  return 'text' in result ? { text: result.text } : 'error';
}

describe('chat templates render as Python renders them', () => {
  const conversations = parseJson(readFileSync(join(folder, 'conversations.json'), 'utf8')) as Record<
    string,
    Conversation
  >;
  const defaults = { tools: null, documents: null, add_generation_prompt: false };
  for (const file of readdirSync(join(folder, 'templates'))) {
    const template = readFileSync(join(folder, 'templates', file), 'utf8');
    const golden = read<Record<string, Result>>(file.replace('.jinja', '.generated.json'));
    it.each(Object.keys(conversations))(`${file} %s`, (name) => {
      expect(render(template, { ...defaults, ...conversations[name] })).toEqual(expected(golden[name] as Result));
    });
  }
});

describe('expressions and statements mean what they mean in Python', () => {
  const variables = parseJson(readFileSync(join(folder, 'snippets.variables.json'), 'utf8')) as Conversation;
  const golden = read<(Result & { readonly template: string })[]>('snippets.generated.json');
  it.each(golden.map((result) => [result.template, result] as const))('%s', (template, result) => {
    expect(render(template, variables)).toEqual(expected(result));
  });
});
