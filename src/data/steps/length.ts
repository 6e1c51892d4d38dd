import type { Message, Sample } from '../../schema/sample.ts';
import { optionsOf, type StepOptions } from '../../schema/steps.ts';
import { type Drop, defineStep, type RowVerdict } from './step.ts';
import { textsOf, wordsOfMessage } from './texts.ts';

type Options = StepOptions<'length'>;

/** Holds rows to a length in characters or messages. The last answer, and what follows the last question, is never cut. */
export const length = defineStep({
  name: 'length',
  version: 1,
  options: optionsOf('length'),
  open: (options) => ({
    kind: 'rows',
    apply(sample) {
      const long = tooLong(sample, options);
      if (long === null) {
        const short = tooShort(sample, options);
        return short === null ? null : { drop: { fate: 'filtered', code: 'too-short', reason: short } };
      }
      const cut = cutTo(sample, options);
      if (cut && tooLong(cut.sample, options) === null) return { ...cut, truncated: true };
      const why = options.cut === 'drop' || options.cut === 'refuse' ? '' : '; cutting all it may does not suffice';
      const drop: Drop = {
        fate: options.cut === 'refuse' ? 'invalid' : 'filtered',
        code: 'too-long',
        reason: `${long}${why}`,
      };
      return { drop };
    },
  }),
});

const charactersOf = (sample: Sample): number => textsOf(sample).reduce((sum, { text }) => sum + text.length, 0);

function tooLong(sample: Sample, { maxCharacters, maxTurns }: Options): string | null {
  const turns = sample.messages.length;
  if (maxTurns !== undefined && turns > maxTurns) return `has ${turns} messages, more than ${maxTurns}`;
  const characters = maxCharacters === undefined ? 0 : charactersOf(sample);
  return maxCharacters !== undefined && characters > maxCharacters
    ? `has ${characters} characters, more than ${maxCharacters}`
    : null;
}

function tooShort(sample: Sample, { minCharacters, minTurns }: Options): string | null {
  const turns = sample.messages.length;
  if (minTurns !== undefined && turns < minTurns) return `has ${turns} messages, fewer than ${minTurns}`;
  const characters = minCharacters === undefined ? 0 : charactersOf(sample);
  return minCharacters !== undefined && characters < minCharacters
    ? `has ${characters} characters, fewer than ${minCharacters}`
    : null;
}

function cutTo(sample: Sample, options: Options): (Pick<RowVerdict, 'changes'> & { readonly sample: Sample }) | null {
  if (options.cut === 'early-turns') return cutEarlyTurns(sample, options);
  if (options.cut === 'prompt-start' || options.cut === 'prompt-end') return cutPrompts(sample, options);
  return null;
}

/** Takes out whole exchanges from the front, each from one question to the next; the system message stays. */
function cutEarlyTurns(sample: Sample, options: Options) {
  const { messages } = sample;
  const head = messages.findIndex(({ role }) => role !== 'system' && role !== 'developer');
  let from = head;
  let now = sample;
  while (tooLong(now, options) !== null) {
    const next = messages.findIndex(({ role }, index) => index > from && role === 'user');
    if (next === -1) return null;
    from = next;
    now = { ...sample, messages: [...messages.slice(0, head), ...messages.slice(from)] };
  }
  return { sample: now, changes: [`${from - head} earliest messages cut`] };
}

/** Cuts the longest questions until the row fits; only plain texts of users. */
function cutPrompts(sample: Sample, options: Options) {
  const { maxCharacters, cut } = options;
  if (maxCharacters === undefined) return null;
  let over = charactersOf(sample) - maxCharacters;
  const messages: Message[] = [...sample.messages];
  const changes: string[] = [];
  const byLength = messages
    .flatMap((message, index) =>
      message.role === 'user' && typeof message.content === 'string'
        ? [{ index, length: wordsOfMessage(message).length }]
        : [],
    )
    .sort((a, b) => b.length - a.length || a.index - b.index);
  for (const { index, length } of byLength) {
    const message = messages[index];
    if (over <= 0 || !message || typeof message.content !== 'string') break;
    const taken = Math.min(over, length - 1);
    const content =
      cut === 'prompt-start'
        ? wellCut(message.content.slice(taken))
        : wellCut(message.content.slice(0, length - taken));
    messages[index] = { ...message, content };
    changes.push(`messages[${index}].content: ${length - content.length} characters cut`);
    over -= length - content.length;
  }
  return { sample: { ...sample, messages }, changes };
}

/** Without half a character at either end. */
function wellCut(text: string): string {
  return text.replace(/^[\uDC00-\uDFFF]/, '').replace(/[\uD800-\uDBFF]$/, '');
}
