import type { Tokenizer } from '../spec/tokenizer.ts';
import { encodeRendering } from './encode-sample.ts';
import { Float } from './jinja/value.ts';
import type { ChatMessage, TemplateData } from './messages.ts';
import { parseTemplateData } from './ordered-json.ts';
import { type ChatTemplateProgram, type RenderInput, renderRaw, type Span, spansOf } from './template.ts';

export interface RenderRowOptions {
  readonly template: ChatTemplateProgram;
  /** The model's; a row may give its own. */
  readonly specialTokens?: Readonly<Record<string, string>>;
  readonly now: Date;
  /** Gives ids and mask. */
  readonly tokens?: {
    readonly tokenizer: Tokenizer;
    readonly stopTokens: readonly number[];
    /** Names of `schema/learn-rules.ts`, joined by `+`. */
    readonly learn: string;
  };
}

/** What becomes of a row. */
export interface RenderedRow extends RenderedLine {
  /** What was printed and is not there, for people: its text is empty, as in Python. */
  readonly remark?: string | undefined;
}

/** It, as `martlet render` prints it. */
export interface RenderedLine {
  readonly text: string | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  /** Where each stretch of the text came from, in UTF-16 units. */
  readonly spans: readonly Span[];
  readonly ids?: readonly number[];
  /** 1 for each id that is learned. */
  readonly mask?: readonly (0 | 1)[];
}

/**
 * Renders a row: an object with `messages` and any other variable of the template, given to it as they stand. Nothing is
 * thrown for what is wrong with a row.
 * @param line JSON text
 */
export function renderRow(line: string, options: RenderRowOptions): RenderedRow {
  let row: TemplateData;
  try {
    row = parseTemplateData(line);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return failed('not-json', `the line is not JSON: ${error.message}`);
  }
  if (!isFields(row)) return failed('not-an-object', 'the line is not an object with messages');
  const { messages, ...given } = row;
  if (!Array.isArray(messages)) return failed('messages-missing', 'the row has no list of messages');
  const wrong = messages.findIndex((message) => !isFields(message) && !(message instanceof Map));
  if (wrong >= 0) return failed('messages-missing', `messages[${wrong}] is not an object`);

  const specialTokens: Record<string, string> = { ...options.specialTokens };
  const variables: Record<string, TemplateData> = {};
  for (const [name, value] of Object.entries(given)) {
    if (/^[a-z]+_token$/.test(name) && typeof value === 'string') specialTokens[name] = value;
    else variables[name] = value;
  }
  const input: RenderInput = {
    template: options.template,
    messages: messages as readonly ChatMessage[],
    variables,
    specialTokens,
    now: options.now,
  };
  const rendering = renderRaw(input);
  if (!rendering.ok) return failed(rendering.issue.code, rendering.issue.message);
  const { text, printedNothing } = rendering;
  const remark =
    printedNothing && `line ${printedNothing.line} of the template prints what is not there: ${printedNothing.message}`;
  const rendered: RenderedRow = { text, error: null, spans: spansOf(rendering), ...(remark && { remark }) };
  if (!options.tokens) return rendered;
  // The prompt of a turn is asked of the template by this variable, whatever the row says of the whole.
  const { add_generation_prompt: _, ...others } = variables;
  const { value } = encodeRendering(
    { messages: input.messages, ...options.tokens },
    { input: { ...input, variables: others }, rendering },
  );
  return { ...rendered, ids: Array.from(value.ids), mask: Array.from(value.weights, (weight) => (weight > 0 ? 1 : 0)) };
}

function failed(code: string, message: string): RenderedRow {
  return { text: null, error: { code, message }, spans: [] };
}

function isFields(value: TemplateData): value is Readonly<Record<string, TemplateData>> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Float) &&
    !(value instanceof Map)
  );
}
