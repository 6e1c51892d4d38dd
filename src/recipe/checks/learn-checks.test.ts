import { expect, test } from 'vitest';
import { learnIssues } from './learn-checks.ts';

const codes = (learn: string): string[] =>
  learnIssues(learn).map(({ code, fix }) => [code, fix].filter(Boolean).join(' '));

test('rules that exist and go together are right', () => {
  for (const learn of ['assistant', 'hermes', 'last_round+hermes+ignore_empty_think', 'all + ignore_reasoning'])
    expect(codes(learn)).toEqual([]);
});

test('what is wrong is named, each name for itself', () => {
  expect(codes('asistant')).toEqual(['unknown-rule Write assistant.']);
  expect(codes('lastround+herms')).toEqual(['unknown-rule Write last_round.', 'unknown-rule Write hermes.']);
  expect(codes('hermes+')).toEqual(['unknown-rule']);
  expect(codes('last+all')).toEqual(['rules-differ Keep one of them.']);
  expect(codes('react+react')).toEqual(['rule-twice Keep one of the two.']);
});
