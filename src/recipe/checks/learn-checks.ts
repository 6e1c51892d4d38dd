import type { Issue } from '../../core/issue.ts';
import { nearestName } from '../../core/nearest.ts';
import { type LearnRuleDefinition, learnRuleNames, learnRules } from '../../schema/learn-rules.ts';
import { type Check, error } from './check.ts';

/** What is wrong with a `render.learn`: its names exist, each stands once, and at most one of them says which turns. */
export function learnIssues(learn: string, path: Issue['path'] = ['render', 'learn']): readonly Issue[] {
  const names = learn.split('+').map((name) => name.trim());
  const rules = names.flatMap((name): readonly LearnRuleDefinition[] =>
    learnRules.filter((rule) => rule.name === name),
  );
  const unknown = names.filter((name) => !learnRuleNames.includes(name));
  if (unknown.length > 0)
    return unknown.map((name) => {
      const near = nearestName(name, learnRuleNames);
      return error({
        code: 'unknown-rule',
        path,
        message: name === '' ? 'A name is missing.' : `There is no learning rule "${name}".`,
        expected: `one or several of ${learnRuleNames.join(', ')}, joined by +`,
        ...(near !== undefined && { fix: `Write ${near}.` }),
      });
    });
  const turns = rules.filter((rule) => rule.turns !== undefined).map(({ name }) => name);
  if (turns.length > 1)
    return [
      error({
        code: 'rules-differ',
        path,
        message: `${turns.join(' and ')} both say which turns are learned.`,
        fix: 'Keep one of them.',
      }),
    ];
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return [];
  return [error({ code: 'rule-twice', path, message: `${twice} stands twice.`, fix: 'Keep one of the two.' })];
}

/** Patterns of `render.weights` are regular expressions. */
export const weightsMatch: Check = ({ recipe }) =>
  recipe.render.weights.flatMap(({ match }, index) => {
    try {
      // The same flag as render/learn-rules.ts compiles them with.
      new RegExp(match, 's');
      return [];
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : 'it does not compile';
      return [error({ code: 'wrong-pattern', path: ['render', 'weights', index, 'match'], message: `${message}.` })];
    }
  });
