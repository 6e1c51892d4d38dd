import type { Issue } from '../core/issue.ts';
import type { Json } from '../schema/common.ts';

interface RefusedField {
  readonly name: string;
  /** Values under which the field asks for nothing that is not done anyway. */
  readonly harmless: (value: Json, body: Readonly<Record<string, Json>>) => boolean;
  readonly instead: string;
}

const is =
  (...values: readonly Json[]) =>
  (value: Json): boolean =>
    values.includes(value);
const isEmpty = (value: Json): boolean => typeof value === 'object' && Object.keys(value ?? {}).length === 0;
const never = (): boolean => false;

/** What would change the answer and is not done: OpenAI's fields, then those that other servers added. */
const fields: readonly RefusedField[] = [
  { name: 'n', harmless: is(1), instead: 'Ask once for each answer, with another seed.' },
  {
    name: 'response_format',
    harmless: (value) => typeof value === 'object' && value !== null && !Array.isArray(value) && value.type === 'text',
    instead: 'Say in the messages what form the answer should have; it is not enforced.',
  },
  { name: 'frequency_penalty', harmless: is(0), instead: 'Leave it out.' },
  { name: 'presence_penalty', harmless: is(0), instead: 'Leave it out.' },
  { name: 'repetition_penalty', harmless: is(1), instead: 'Leave it out.' },
  { name: 'logit_bias', harmless: isEmpty, instead: 'Leave it out.' },
  { name: 'functions', harmless: isEmpty, instead: 'Offer them as tools.' },
  { name: 'function_call', harmless: is('none', 'auto'), instead: 'Offer tools, with tool_choice.' },
  { name: 'tool_choice', harmless: is('auto', 'none'), instead: 'Use "auto" or "none": a call cannot be forced.' },
  {
    name: 'parallel_tool_calls',
    harmless: (value, body) => value === true || !Array.isArray(body.tools) || body.tools.length === 0,
    instead: 'Leave it out: how many tools are called is up to the model.',
  },
  {
    name: 'modalities',
    harmless: (value) => Array.isArray(value) && value.every((kind) => kind === 'text'),
    instead: 'Answers are text.',
  },
  { name: 'audio', harmless: never, instead: 'Answers are text.' },
  { name: 'prediction', harmless: never, instead: 'Leave it out.' },
  { name: 'web_search_options', harmless: never, instead: 'Put what was found into the messages.' },
  { name: 'reasoning_effort', harmless: never, instead: 'Leave it out: how much a model reasons was trained.' },
  { name: 'verbosity', harmless: never, instead: 'Say in the messages how long the answer should be.' },
  { name: 'min_p', harmless: is(0), instead: 'Use top_p or top_k.' },
  { name: 'min_tokens', harmless: is(0), instead: 'Leave it out.' },
  { name: 'best_of', harmless: is(1), instead: 'Leave it out.' },
  { name: 'use_beam_search', harmless: is(false), instead: 'Leave it out.' },
  { name: 'ignore_eos', harmless: is(false), instead: 'Leave it out.' },
  { name: 'stop_token_ids', harmless: isEmpty, instead: 'Use stop.' },
  { name: 'chat_template', harmless: never, instead: 'The template is the one the model was trained with.' },
  { name: 'continue_final_message', harmless: is(false), instead: 'Leave it out.' },
  { name: 'add_generation_prompt', harmless: is(true), instead: 'Leave it out.' },
  { name: 'guided_json', harmless: never, instead: 'Say in the messages what form the answer should have.' },
  { name: 'guided_regex', harmless: never, instead: 'Say in the messages what form the answer should have.' },
  { name: 'guided_choice', harmless: never, instead: 'Say in the messages what form the answer should have.' },
  { name: 'guided_grammar', harmless: never, instead: 'Say in the messages what form the answer should have.' },
];

export const refusedFieldNames: readonly string[] = fields.map(({ name }) => name);

/** Null always means "left out", as in OpenAI's clients. */
export function refusedFields(body: Readonly<Record<string, Json>>): Issue[] {
  return fields.flatMap(({ name, harmless, instead }): Issue[] => {
    const value = body[name] ?? null;
    if (value === null || harmless(value, body)) return [];
    return [
      {
        code: 'unsupported-parameter',
        severity: 'error',
        path: [name],
        message: 'would change the answer and is not supported.',
        fix: instead,
      },
    ];
  });
}
