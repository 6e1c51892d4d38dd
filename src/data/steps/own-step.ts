import { MartletError, messageOf } from '../../core/error.ts';
import { shown } from '../row-notes.ts';
import { checkedDecision, wrongVerdict } from './own-verdict.ts';
import type { Drop, OpenStep, RowVerdict, StepDefinition } from './step.ts';

/**
 * A step of one's own as the others are: what it throws at a row, or makes of it that is no row, is that row's fate.
 * @throws MartletError `step-failed` when it cannot be opened, and from a step over all rows
 */
export async function openOwnStep(definition: StepDefinition<never>, options: never): Promise<OpenStep> {
  const { name } = definition;
  const failure = (cause: unknown): MartletError =>
    new MartletError('step-failed', `the step ${name} fails: ${messageOf(cause)}`, { cause });
  const failing = <T>(work: () => T): T => {
    try {
      return work();
    } catch (cause) {
      throw failure(cause);
    }
  };
  let step: OpenStep;
  try {
    step = await definition.open(options);
  } catch (cause) {
    throw failure(cause);
  }
  requireStep(step, failure);
  if (step.kind === 'whole')
    return {
      ...step,
      ...(step.feature && { feature: (sample, into) => failing(() => step.feature?.(sample, into)) }),
      decide(rows) {
        const { drops, ...more } = failing(() => checkedDecision(step.decide(rows), rows.count));
        return { ...more, drops: { [Symbol.iterator]: () => failingEach(drops, failing) } };
      },
    };
  return {
    ...step,
    apply(sample) {
      let verdict: RowVerdict | null | undefined;
      try {
        verdict = step.apply(sample);
      } catch (error) {
        return { drop: failed(`the step ${name} fails: ${messageOf(error)}`) };
      }
      const wrong = wrongVerdict(verdict);
      return wrong === undefined ? (verdict ?? null) : { drop: failed(`the step ${name} ${wrong}`) };
    },
  };
}

/** What is thrown while drops are told is thrown by the step. */
function* failingEach<T>(items: Iterable<T>, failing: <R>(work: () => R) => R): Generator<T> {
  const each = items[Symbol.iterator]();
  for (let next = failing(() => each.next()); !next.done; next = failing(() => each.next())) yield next.value;
}

/** What types would not have let be opened. */
function requireStep(step: OpenStep, failure: (cause: unknown) => MartletError): void {
  const { kind, apply, decide, featureBytes, notes = [] } = (step ?? {}) as unknown as Record<string, unknown>;
  const isRows = kind === 'rows' && typeof apply === 'function';
  const isWhole = kind === 'whole' && typeof decide === 'function' && Number.isInteger(featureBytes);
  if (!isRows && !isWhole)
    throw failure(
      `open gives ${shown(step)}; expected { kind: 'rows', apply } or { kind: 'whole', featureBytes, feature, decide }`,
    );
  if (!Array.isArray(notes) || notes.some((note) => typeof note !== 'string'))
    throw failure(`open gives notes ${shown(notes)}; expected a list of texts`);
}

const failed = (reason: string): Drop => ({ fate: 'invalid', code: 'step-failed', reason });
