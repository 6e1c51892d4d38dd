import { z } from 'zod';
import type { Checked, Issue } from '../core/issue.ts';
import { nearestName } from '../core/nearest.ts';
import { servingDefaults } from '../core/serving-defaults.ts';
import { parseTemplateData, plainOrText, type TemplateData } from '../render/index.ts';
import { type Json, json } from '../schema/common.ts';
import type { Message, Sample } from '../schema/sample.ts';
import { readMessages } from './chat-messages.ts';
import { refusedFieldNames, refusedFields } from './refused-fields.ts';
import { isObject, issue, shown } from './request-issue.ts';

/** What a client asked for, in our words; null where it left the choice to us. */
export interface ChatRequest {
  readonly model: string;
  /** As the template is given them. */
  readonly messages: readonly Message[];
  /** The same, as they go on record. */
  readonly sentMessages: Json;
  readonly tools: Sample['tools'];
  /** More names for the template. */
  readonly variables: Sample['variables'];
  readonly temperature: number;
  readonly topP: number;
  /** 0 for no limit. */
  readonly topK: number;
  readonly seed: number | null;
  readonly maxTokens: number | null;
  readonly stop: readonly string[];
  /** Null when no log-probabilities are wanted. */
  readonly topLogProbabilities: number | null;
  readonly stream: boolean;
  readonly includeUsage: boolean;
}

const count = (least: number) => z.number().int().min(least);
const stopText = z.string().min(1);

/** Null means "left out" everywhere, as in OpenAI's clients. */
const settings = z.looseObject({
  model: z.string().min(1),
  tools: z.array(z.record(z.string(), json)).nullish(),
  chat_template_kwargs: z.record(z.string(), json).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  // -1 is how vLLM's clients say "no limit".
  top_k: count(-1).nullish(),
  seed: z.number().int().nullish(),
  max_tokens: count(1).nullish(),
  max_completion_tokens: count(1).nullish(),
  stop: z
    .union([stopText, z.array(stopText).max(16)], {
      error: () => 'a text, or a list of at most 16, none of them empty',
    })
    .nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: count(0).max(20).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z
    .looseObject({ include_usage: z.boolean().nullish(), include_obfuscation: z.boolean().nullish() })
    .nullish(),
});

/** What OpenAI's clients may say beside the question, and that no answer hangs on. */
const aside = [
  'metadata',
  'prompt_cache_key',
  'prompt_cache_retention',
  'safety_identifier',
  'service_tier',
  'store',
  'user',
];

const knownFields = [...Object.keys(settings.shape), 'messages', ...refusedFieldNames, ...aside];

const streamOptions = ['include_usage', 'include_obfuscation'];

/** Given by the request itself. */
const reservedVariables = ['messages', 'tools', 'add_generation_prompt'];

/**
 * Reads the body of a chat request; all that is wrong with it at once. As at OpenAI, a field that is not known is refused:
 * what a client asks for and does not get, it is told.
 * @param text the body as it was sent, which holds what an object loses of a tool's definition: `1.0`, the order of keys
 */
export function readChatRequest(body: Json, text?: string): Checked<ChatRequest> {
  if (!isObject(body)) return { ok: false, issues: [issue([], `the body is ${shown(body)}.`, 'a JSON object')] };
  const issues = [...unknownFields(body, knownFields), ...refusedFields(body)];
  if (isObject(body.stream_options))
    issues.push(...unknownFields(body.stream_options, streamOptions, ['stream_options']));
  const messages = readMessages(body.messages, issues);
  const read = settings.safeParse(body, { reportInput: true });
  if (!read.success) issues.push(...read.error.issues.map(issueOf));
  const data = read.data;
  const { max_tokens: older, max_completion_tokens: newer, logprobs, top_logprobs: top } = data ?? {};
  if (older && newer && older !== newer)
    issues.push(
      issue(['max_tokens'], `${older} is not max_completion_tokens, ${newer}.`, undefined, 'Give one of them.'),
    );
  if (top && !logprobs)
    issues.push(issue(['top_logprobs'], 'is given without logprobs.', undefined, 'Add "logprobs": true.'));
  if (data?.stream_options && !data.stream)
    issues.push(issue(['stream_options'], 'is given without stream.', undefined, 'Add "stream": true.'));
  const variables = data?.chat_template_kwargs ?? {};
  for (const name of reservedVariables)
    if (name in variables)
      issues.push(issue(['chat_template_kwargs', name], 'is given by the request itself.', undefined, 'Leave it out.'));
  if (!data || issues.length > 0) return { ok: false, issues };
  const offered = data.tools && data.tools.length > 0 && body.tool_choice !== 'none' ? data.tools : undefined;
  const tools = offered && text !== undefined ? exactTools(text) : offered;
  const value: ChatRequest = {
    model: data.model,
    messages,
    sentMessages: messages.map((message) => ({ ...message })) as Json,
    tools,
    variables: Object.keys(variables).length > 0 ? variables : undefined,
    temperature: data.temperature ?? servingDefaults.temperature,
    topP: data.top_p ?? 1,
    topK: Math.max(0, data.top_k ?? 0),
    seed: data.seed ?? null,
    maxTokens: newer ?? older ?? null,
    stop: typeof data.stop === 'string' ? [data.stop] : (data.stop ?? []),
    topLogProbabilities: logprobs ? (top ?? 0) : null,
    stream: data.stream ?? false,
    includeUsage: data.stream_options?.include_usage ?? false,
  };
  return { ok: true, value, warnings: [] };
}

function unknownFields(
  given: Readonly<Record<string, Json>>,
  ...[known, path = []]: [known: readonly string[], path?: Issue['path']]
): Issue[] {
  return Object.keys(given)
    .filter((name) => !known.includes(name))
    .map((name): Issue => {
      const near = nearestName(name, known);
      return {
        code: 'unknown-parameter',
        severity: 'error',
        path: [...path, name],
        message: `Unrecognized request argument supplied: ${name}.`,
        fix: near === undefined ? 'Leave it out.' : `Did you mean ${near}?`,
      };
    });
}

/** The definitions as they were written. */
function exactTools(text: string): NonNullable<Sample['tools']> {
  const { tools } = parseTemplateData(text) as { readonly tools: readonly TemplateData[] };
  return tools.map((tool) => plainOrText(tool) as string | Record<string, Json>);
}

function issueOf({ path, input, message }: z.core.$ZodIssue): Issue {
  const at = path.map((key) => (typeof key === 'number' ? key : String(key)));
  const found = input === undefined ? 'is missing.' : `found ${shown(input as Json)}.`;
  return issue(at, found, message.replace(/^(?:Invalid input|Too small|Too big): expected /, ''));
}
