import { MartletError } from '../core/error.ts';
import { fingerprintText } from '../core/fingerprint.ts';
import type { Issue } from '../core/issue.ts';
import { TemplateError } from './jinja/error.ts';
import { compileJinja, type JinjaProgram } from './jinja/program.ts';
import type { PrintedNothing } from './jinja/runtime.ts';
import type { Value } from './jinja/value.ts';
import { type ChatMessage, type Source, sourceTable, type TemplateData } from './messages.ts';

/** A compiled chat template. */
export interface ChatTemplateProgram {
  readonly source: string;
  /** sha-256 of the source. */
  readonly fingerprint: string;
  readonly program: JinjaProgram;
}

/**
 * Compiles a chat template; keep the result, compiling costs more than rendering.
 * @throws MartletError `template-syntax` with the line
 */
export function compileTemplate(source: string): ChatTemplateProgram {
  try {
    return { source, fingerprint: fingerprintText(source), program: compileJinja(source) };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    const where = error.line === undefined ? '' : ` (line ${error.line})`;
    throw new MartletError('template-syntax', `the chat template does not compile${where}: ${error.message}`, {
      hint: 'Take the template from the model again, or name a Jinja file as render.template.',
      cause: error,
    });
  }
}

/** Where characters of a rendering came from. `offset` is null where the source's characters were rewritten. */
export type SpanSource =
  | { readonly kind: 'template' }
  | {
      readonly kind: 'message';
      readonly index: number;
      readonly field: Extract<Source, { kind: 'message' }>['field'];
      readonly path: string;
      readonly offset: number | null;
    }
  | { readonly kind: 'variable'; readonly name: string; readonly path: string; readonly offset: number | null };

/** A stretch of rendered text, in UTF-16 units; spans follow one another without gaps. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly source: SpanSource;
}

export interface RenderInput {
  readonly template: ChatTemplateProgram;
  readonly messages: readonly ChatMessage[];
  readonly tools?: readonly TemplateData[] | undefined;
  /** More names for the template: `enable_thinking`, `documents` ... */
  readonly variables?: Readonly<Record<string, TemplateData>> | undefined;
  /** Texts of special tokens by name (`bos_token` ...): these count as the template's own words. */
  readonly specialTokens?: Readonly<Record<string, string>> | undefined;
  readonly addGenerationPrompt?: boolean | undefined;
  /** The moment `strftime_now` tells, read as UTC. */
  readonly now?: Date | undefined;
}

export type Rendering =
  | {
      readonly ok: true;
      readonly text: string;
      readonly spans: readonly Span[];
      readonly generations: readonly number[];
    }
  | { readonly ok: false; readonly issue: Issue };

/** A rendering with its runs and sources as the engine gives them, for those who work on characters. */
export type RawRendering =
  | {
      readonly ok: true;
      readonly text: string;
      readonly runs: readonly number[];
      readonly sources: readonly Source[];
      readonly generations: readonly number[];
      /** What was printed and is not there, which is empty text. */
      readonly printedNothing?: PrintedNothing | undefined;
    }
  | { readonly ok: false; readonly issue: Issue };

const templateSource: SpanSource = { kind: 'template' };

/** Renders a conversation; every character of the text knows where it came from. */
export function renderChat(input: RenderInput): Rendering {
  const rendered = renderRaw(input);
  if (!rendered.ok) return rendered;
  return { ok: true, text: rendered.text, spans: spansOf(rendered), generations: rendered.generations };
}

export function spansOf({
  text,
  runs,
  sources,
}: {
  readonly text: string;
  readonly runs: readonly number[];
  readonly sources: readonly Source[];
}): Span[] {
  const spans: Span[] = [];
  for (let i = 0; i < runs.length; i += 3) {
    const end = i + 3 < runs.length ? (runs[i + 3] as number) : text.length;
    const source = spanSource(sources[runs[i + 1] as number], runs[i + 2] as number);
    spans.push({ start: runs[i] as number, end, source });
  }
  return spans;
}

function spanSource(source: Source | undefined, offset: number): SpanSource {
  if (!source) return templateSource;
  const survives = offset < 0 ? null : offset;
  if (source.kind === 'variable') return { kind: 'variable', name: source.name, path: source.path, offset: survives };
  return { kind: 'message', index: source.index, field: source.field, path: source.path, offset: survives };
}

export function renderRaw(input: RenderInput): RawRendering {
  const table = sourceTable();
  const variables = new Map<string, Value>();
  // As transformers calls it: these four are always defined.
  variables.set('messages', table.messages(input.messages));
  variables.set('tools', input.tools && input.tools.length > 0 ? table.variable('tools', input.tools) : null);
  variables.set('documents', null);
  variables.set('add_generation_prompt', input.addGenerationPrompt ?? false);
  for (const [name, text] of Object.entries(input.specialTokens ?? {})) variables.set(name, text);
  for (const [name, value] of Object.entries(input.variables ?? {}))
    if (value !== undefined) variables.set(name, table.variable(name, value));
  try {
    const rendered = input.template.program.render(variables, { now: () => input.now ?? new Date() });
    return { ok: true, ...rendered, sources: table.sources };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return { ok: false, issue: renderIssue(error) };
  }
}

function renderIssue(error: TemplateError): Issue {
  const place = error.line === undefined ? '' : ` on line ${error.line}`;
  if (error.kind === 'raised')
    return {
      code: 'template-refused',
      severity: 'error',
      path: [],
      message: `The chat template refuses this conversation${place}: ${error.message}`,
      fix: 'Change the order or the roles of the messages to what the model expects.',
    };
  return {
    code: error.kind === 'limit' ? 'template-limit' : 'template-failed',
    severity: 'error',
    path: [],
    message: `The chat template fails${place}: ${error.message.replace(/\.$/, '')}.`,
    fix: 'Give the template what it reads, or name another one as render.template.',
  };
}
