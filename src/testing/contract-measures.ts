import type { StepResult, TrainSession } from '../spec/train-engine.ts';
import type { ContractRow, ContractRun } from './contract-fixture.ts';

/** What of a step's result is the same each time: all but time and memory. */
export type Exact = Pick<StepResult, 'loss' | 'gradientNorm' | 'tokens' | 'learnedTokens' | 'rows'>;

export const exact = ({ loss, gradientNorm, tokens, learnedTokens, rows }: StepResult): Exact => ({
  loss,
  gradientNorm,
  tokens,
  learnedTokens,
  rows,
});

/** Loss, norm and gradients of the second step. */
export async function firstGradients(
  run: ContractRun,
  start: () => Promise<TrainSession>,
): Promise<{ readonly result: StepResult; readonly gradients: Awaited<ReturnType<TrainSession['gradients']>> }> {
  await using session = await start();
  await session.load(run.load());
  // Past the first step an adapter's B is not zero any more, so that A has a gradient too.
  await session.step({ step: 0, learningRate: 0.01 });
  const result = await session.step({ step: 1, learningRate: 0 });
  return { result, gradients: await session.gradients() };
}

/** Weighted negative log-likelihood of each row, their mean by weight, and the learned tokens, from `score` alone. */
export async function lossesOf(
  session: TrainSession,
  rows: readonly ContractRow[],
): Promise<{ readonly rows: readonly number[]; readonly learnedTokens: number; readonly mean: number }> {
  const { sequences } = await session.score({ sequences: rows.map(({ ids }) => [...ids]) });
  let weight = 0;
  let learnedTokens = 0;
  const losses = rows.map(({ weights }, index) => {
    let loss = 0;
    weights.forEach((each, place) => {
      if (place === 0 || each === 0) return;
      weight += each;
      learnedTokens++;
      loss -= each * (sequences[index]?.logProbabilities[place] ?? Number.NaN);
    });
    return loss;
  });
  return { rows: losses, learnedTokens, mean: losses.reduce((sum, loss) => sum + loss, 0) / weight };
}

/** |a - b| over |b|, as vectors. */
export function distance(a: Float32Array | undefined, b: Float32Array): number {
  let difference = 0;
  let size = 0;
  b.forEach((value, index) => {
    difference += ((a?.[index] ?? Number.NaN) - value) ** 2;
    size += value ** 2;
  });
  return Math.sqrt(difference / (size + 1e-20));
}
