import type { Json } from '../schema/common.ts';
import type { Message, Sample } from '../schema/sample.ts';
import { stepInput } from '../schema/steps.ts';
import { openSteps } from './steps/open-steps.ts';

export const say = (role: Message['role'], content: string): Message => ({ role, content });
export const row = (messages: readonly Message[], more: Partial<Sample> = {}): Sample => ({
  id: 'a'.repeat(64),
  messages: [...messages],
  split: 'train',
  provenance: { source: 'rows.jsonl', file: 'rows.jsonl', line: 1, sha256: 'b'.repeat(64) },
  ...more,
});
export const chat = (question: string, answer: string, more: Partial<Sample> = {}): Sample =>
  row([say('user', question), say('assistant', answer)], more);

/** A built-in step that looks at one row at a time. */
export async function openedStep(options: { readonly step: string } & Record<string, Json>) {
  const whole = stepInput.parse(options) as Json;
  const [step] = await openSteps([{ step: options.step, module: null, options: whole }]);
  if (step?.step.kind !== 'rows') throw new Error('not a step of rows');
  return step.step;
}
