import { readFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import { learnRuleNames, learnRules } from '../schema/learn-rules.ts';
import { messageWeights } from './learn.ts';
import { type AnswerPiece, learnPlan, type OwnWeight, partRanges, unitFactors, weighAnswer } from './learn-rules.ts';

/** The answer cut where its weight changes: `[text, weight]` one after the other. */
function weighed(learn: string, answer: string, more: { asked?: string; own?: readonly OwnWeight[] } = {}): unknown[] {
  const ranges = weighAnswer(learnPlan(learn, more.own), answer, more.asked ?? '');
  const factors = unitFactors(answer.length, ranges) ?? new Float32Array(answer.length).fill(1);
  const parts: [string, number][] = [];
  factors.forEach((factor, index) => {
    const last = parts.at(-1);
    if (last && last[1] === factor) last[0] += answer.charAt(index);
    else parts.push([answer.charAt(index), factor]);
  });
  return parts;
}

const react = 'Thought: look\nAction: find\nAction Input: {"q": 1}\nObservation: 3\nFinal Answer: 3';

describe('weights of answers, by name', () => {
  // Each expectation was written by hand from the marks and weights of the strategy.
  const expected: Readonly<Record<string, readonly [learn: string, answer: string, parts: unknown[], asked?: string]>> =
    {
      'react: actions and their input twice, the observation not, its mark twice': [
        'react',
        react,
        [
          ['Thought: look\n', 1],
          ['Action: find\nAction Input: {"q": 1}\nObservation:', 2],
          [' 3\n', 0],
          ['Final Answer: 3', 1],
        ],
      ],
      'alpha_umi: and who is next twice': [
        'alpha_umi',
        'Thought: go. Next: planner',
        [
          ['Thought: go. ', 1],
          ['Next: planner', 2],
        ],
      ],
      'qwen: function and arguments twice, results not': [
        'qwen',
        'Hm. ✿FUNCTION✿: f\n✿ARGS✿: {}\n✿RESULT✿: 3\n✿RETURN✿: Three.',
        [
          ['Hm. ', 1],
          ['✿FUNCTION✿: f\n✿ARGS✿: {}\n✿RESULT✿:', 2],
          [' 3\n', 0],
          ['✿RETURN✿: Three.', 1],
        ],
      ],
      'hermes: blocks twice, each for itself': [
        'hermes',
        'a<tool_call>\n{}\n</tool_call>\n<tool_call>x</tool_call>b',
        [
          ['a', 1],
          ['<tool_call>\n{}\n</tool_call>', 2],
          ['\n', 1],
          ['<tool_call>x</tool_call>', 2],
          ['b', 1],
        ],
      ],
      'agentflan: what follows a mark three times, the mark once': [
        'agentflan',
        'Action: find\nObservation: 3',
        [
          ['Action:', 1],
          [' find\n', 3],
          ['Observation:', 2],
          [' 3', 0],
        ],
      ],
      'agentflan: the whole answer three times when asked about tools': [
        'agentflan',
        'Observation: find',
        [['Observation: find', 3]],
        'What is the tool you want to use?',
      ],
      'ignore_empty_think: an empty block at the start': [
        'ignore_empty_think',
        '<think>\n\n</think>\n\nYes <think></think>',
        [
          ['<think>\n\n</think>\n\n', 0],
          ['Yes <think></think>', 1],
        ],
      ],
      'ignore_empty_think: a block that says something stays': [
        'ignore_empty_think',
        '<think>\nHm.\n</think>\n\nYes',
        [['<think>\nHm.\n</think>\n\nYes', 1]],
      ],
      'ignore_empty_think: the closing tag alone, where the prompt opened it': [
        'ignore_empty_think',
        '</think>\n\nYes',
        [
          ['</think>\n\n', 0],
          ['Yes', 1],
        ],
      ],
      'ignore_think_prefix: the opening tag and one line break': [
        'ignore_think_prefix',
        '<think>\n\nHm.</think>',
        [
          ['<think>\n', 0],
          ['\nHm.</think>', 1],
        ],
      ],
      'joined: weights multiply': [
        'last_round+hermes+ignore_empty_think',
        '<think>\n</think><tool_call>x</tool_call>.',
        [
          ['<think>\n</think>', 0],
          ['<tool_call>x</tool_call>', 2],
          ['.', 1],
        ],
      ],
    };
  it.each(Object.entries(expected))('%s', (_, [learn, answer, parts, asked]) => {
    expect(weighed(learn, answer, asked === undefined ? {} : { asked })).toEqual(parts);
  });

  it('joined: a later rule works on the pieces of the one before it', () => {
    expect(weighed('hermes+ignore_empty_think', '<tool_call>x</tool_call></think>.')).toEqual([
      ['<tool_call>x</tool_call>', 2],
      ['</think>', 0],
      ['.', 1],
    ]);
  });

  it('of my own: where a pattern matches, and behind it', () => {
    const own = [
      { match: 'SCORE (\\d+)', weight: 4, after: 0.5 },
      { match: '^Well, ', weight: 0 },
    ];
    expect(weighed('assistant', 'Well, SCORE 12 of 20', { own })).toEqual([
      ['Well, ', 0],
      ['SCORE 12', 4],
      [' of 20', 0.5],
    ]);
  });

  it('every named rule does something, and every name is known', () => {
    for (const { name } of learnRules) {
      const plan = learnPlan(name);
      expect(
        plan.weights.length > 0 || plan.without.size > 0 || 'turns' in (learnRules.find((r) => r.name === name) ?? {}),
        name,
      ).toBe(true);
    }
    expect(new Set(learnRuleNames).size).toBe(learnRuleNames.length);
    expect(() => learnPlan('lastround')).toThrow('no learning rule "lastround"');
  });
});

test('the names stand in docs/concepts/tokens.md', () => {
  const page = readFileSync(new URL('../../docs/concepts/tokens.md', import.meta.url), 'utf8');
  for (const name of learnRuleNames) expect(page).toMatch(new RegExp(`^\\| .*\`${name}\``, 'm'));
});

describe('turns, by name', () => {
  const roles = ['system', 'user', 'assistant', 'tool', 'assistant', 'assistant'].map((role) => ({ role }));
  it.each([
    ['assistant', [0, 0, 1, 0, 1, 1]],
    ['default', [0, 0, 1, 0, 1, 1]],
    ['last', [0, 0, 0, 0, 0, 1]],
    ['last_round', [0, 0, 0, 0, 1, 1]],
    ['all', [1, 1, 1, 1, 1, 1]],
    ['react', [0, 0, 1, 0, 1, 1]],
  ])('%s', (learn, expected) => {
    expect(messageWeights(roles, learnPlan(learn).turns)).toEqual(expected);
  });
});

describe('parts of answers, by where their characters came from', () => {
  const answer =
    '<think>\nHm.\n</think>\n\nLet me see.\n<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>';
  const piece = (text: string, field: AnswerPiece['field']): AnswerPiece => {
    const start = answer.indexOf(text);
    return { start, end: start + text.length, field };
  };
  const call = [piece('f"', 'tool_name'), piece('a"', 'argument')].map(({ start, field }) => ({
    start,
    end: start + 1,
    field,
  }));
  const whole = [piece('Hm.', 'reasoning_content'), piece('Let me see.', 'content'), ...call];
  const kept = (rule: string, pieces: readonly AnswerPiece[]): string => {
    const factors = unitFactors(answer.length, partRanges(answer, pieces, learnPlan(rule).without));
    return Array.from(answer, (unit, index) => (factors?.[index] === 0 ? '' : unit)).join('');
  };

  it.each([
    ['ignore_reasoning', 'Let me see.\n<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>'],
    ['ignore_tool_calls', '<think>\nHm.\n</think>\n\nLet me see.'],
    ['only_tool_calls', '\n<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>'],
    ['ignore_reasoning+ignore_tool_calls', 'Let me see.'],
  ])('%s', (rule, expected) => {
    expect(kept(rule, whole)).toBe(expected);
  });

  it('between reasoning and a call, the tag that closes belongs to the reasoning', () => {
    const text = '<think>Hm.</think>\n<tool_call>{"name": "f"}</tool_call>';
    const pieces: AnswerPiece[] = [
      { start: 7, end: 10, field: 'reasoning_content' },
      { start: text.indexOf('f"'), end: text.indexOf('f"') + 1, field: 'tool_name' },
    ];
    expect(partRanges(text, pieces, new Set(['tool-calls']))).toContainEqual({
      start: 19,
      end: text.length,
      weight: 0,
    });
    expect(partRanges(text, pieces, new Set(['reasoning']))).toContainEqual({ start: 0, end: 19, weight: 0 });
  });
});
