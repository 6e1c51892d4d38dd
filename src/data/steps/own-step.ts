import { MartletError } from '../../core/error.ts';
import { formatPath } from '../../core/issue.ts';
import { sample as sampleSchema } from '../../schema/sample.ts';
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
  if (step.kind === 'whole')
    return {
      ...step,
      ...(step.feature && { feature: (sample, into) => failing(() => step.feature?.(sample, into)) }),
      decide: (rows) => failing(() => step.decide(rows)),
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

const failed = (reason: string): Drop => ({ fate: 'invalid', code: 'step-failed', reason });

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** What is wrong with an answer that types would not have let pass. */
function wrongVerdict(verdict: RowVerdict | null | undefined): string | undefined {
  if (verdict === null || verdict === undefined) return undefined;
  if (verdict instanceof Promise) return 'answers with a promise: write apply without async';
  if (typeof verdict !== 'object')
    return `answers with a ${typeof verdict}, not with { sample, changes, drop } or null`;
  if (verdict.sample === undefined) return undefined;
  const [issue] = sampleSchema.safeParse(verdict.sample).error?.issues ?? [];
  return (
    issue &&
    `makes a row that is none: ${formatPath(issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key)))}: ${issue.message}`
  );
}
