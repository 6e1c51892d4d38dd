/** What a learning rule does; exactly one member beside `name` and `says` carries it. */
export interface LearnRuleDefinition {
  readonly name: string;
  /** For people, in one sentence. */
  readonly says: string;
  /** Which turns are learned. One of these stands in a `render.learn`, in front; `assistant` when none does. */
  readonly turns?: 'assistant' | 'last' | 'last-round' | 'all';
  /** Literal marks: the weight of the mark, and of what follows it up to the next mark. */
  readonly marks?: readonly (readonly [mark: string, weight: number, then: number])[];
  /** Where a pattern matches an answer (`.` takes line breaks too, `^` is the answer's start), its weight. */
  readonly patterns?: readonly (readonly [pattern: string, weight: number])[];
  /** Where the turn before holds a text: the weight of the whole answer, instead of that of marks. */
  readonly asked?: readonly (readonly [text: string, weight: number])[];
  /** A part of an answer that is not learned, found by where its characters came from. */
  readonly without?: 'reasoning' | 'tool-calls' | 'all-but-tool-calls';
}

const thoughtAndAction = [
  ['Action:', 2, 2],
  ['Action Input:', 2, 2],
  ['Thought:', 1, 1],
  ['Final Answer:', 1, 1],
  ['Observation:', 2, 0],
] as const;

/**
 * Every name that `render.learn` knows; several are joined by `+` and their weights multiply. The names with an underscore
 * are ms-swift's `loss_scale` strategies, with the marks and weights of its 4.6.
 */
export const learnRules = [
  { name: 'assistant', says: 'Every answer of the assistant, with the token that ends it.', turns: 'assistant' },
  { name: 'default', says: "The same as assistant, by ms-swift's name.", turns: 'assistant' },
  { name: 'last', says: 'The last answer alone.', turns: 'last' },
  { name: 'last_round', says: 'The answers behind the last user or tool turn.', turns: 'last-round' },
  { name: 'all', says: 'Every token, whoever wrote it.', turns: 'all' },
  { name: 'ignore_reasoning', says: 'Reasoning is read, not learned.', without: 'reasoning' },
  { name: 'ignore_tool_calls', says: 'Tool calls are read, not learned.', without: 'tool-calls' },
  { name: 'only_tool_calls', says: 'Of an answer with tool calls, the calls alone.', without: 'all-but-tool-calls' },
  {
    name: 'ignore_empty_think',
    says: 'A reasoning block with nothing in it, at the start of an answer, is not learned.',
    patterns: [
      ['^<think>\\s*</think>\\s*', 0],
      [
        '^<seed:think><seed:cot_budget_reflect>The current thinking budget is 0, so I will directly start answering the question.</seed:cot_budget_reflect>\\n</seed:think>\\s*',
        0,
      ],
      ['^</think>\\s*', 0],
      ['^<\\|channel>thought\\n<channel\\|>', 0],
      ['^</mm:think>\\s*', 0],
    ],
  },
  {
    name: 'ignore_think_prefix',
    says: 'The tag that opens reasoning at the start of an answer is not learned.',
    patterns: [['^<think>\\n?', 0]],
  },
  { name: 'react', says: 'ReAct: actions count twice, observations not at all.', marks: thoughtAndAction },
  {
    name: 'hermes',
    says: 'Hermes: a <tool_call> block counts twice.',
    patterns: [['<tool_call>.+?</tool_call>', 2]],
  },
  {
    name: 'qwen',
    says: "Qwen's marks: function and arguments count twice, results not at all.",
    marks: [
      ['✿FUNCTION✿:', 2, 2],
      ['✿ARGS✿:', 2, 2],
      ['✿RETURN✿:', 1, 1],
      ['✿RESULT✿:', 2, 0],
    ],
  },
  {
    name: 'agentflan',
    says: 'Agent-FLAN: names and arguments of tools count three times, and so do answers about them.',
    marks: [
      ['Name:', 1, 3],
      ['Action:', 1, 3],
      ['ACTION:', 1, 3],
      ['Tool:', 1, 3],
      ['Command', 1, 3],
      ['Arguments:', 1, 3],
      ['action input', 1, 3],
      ['ACTION_INPUT:', 1, 3],
      ['Action Input:', 1, 3],
      ['Thought:', 1, 1],
      ['Final Answer:', 1, 1],
      ['Observation:', 2, 0],
    ],
    asked: [
      ['What is the tool you want to use', 3],
      ['What are the required parameter names', 3],
      ['What is the value of', 3],
    ],
  },
  {
    name: 'alpha_umi',
    says: 'Alpha-UMi: as react, and who acts next counts twice.',
    marks: [...thoughtAndAction, ['Next:', 2, 2]],
  },
] as const satisfies readonly LearnRuleDefinition[];

export const learnRuleNames: readonly string[] = learnRules.map(({ name }) => name);
