import { formatCount, formatCounted, formatDuration } from '../../core/units.ts';
import type { RunEvent } from '../../schema/event.ts';
import type { Plan } from '../../schema/plan.ts';
import type { CliContext } from '../context.ts';

/** What the plan expects, in one line; a passage that is not known is left out. */
export function expectation({ execution, predictions, origins }: Plan): string {
  const { tokens, steps, peakMemoryGiB, trainSeconds } = predictions;
  const rough = origins['predictions.trainSeconds']?.reason?.startsWith('rough') ? 'roughly' : 'about';
  const parts = [
    ...(typeof steps === 'number' ? [formatCounted(steps, 'step')] : []),
    ...(typeof tokens === 'number' ? [`${formatCount(tokens)} tokens a pass`] : []),
    ...(typeof peakMemoryGiB === 'number' ? [`${peakMemoryGiB.toFixed(1)} GiB`] : []),
    ...(typeof trainSeconds === 'number' ? [`${rough} ${formatDuration(trainSeconds * 1000)} of training`] : []),
    ...(execution.diskGiB === null ? [] : [`streamed within ${execution.diskGiB} GiB of disk`]),
  ];
  return `Expecting ${parts.join(', ')}`;
}

/** One line of text an event, with what is left of the run. */
export function trainProgress(context: Pick<CliContext, 'now'>): (event: RunEvent) => string | undefined {
  let steps = 0;
  let resumedAt = 0;
  let first: { at: number; step: number } | undefined;
  const sum = { tokens: 0, learned: 0, seconds: 0, loss: Number.NaN };
  const ofRun = (step: number): string => {
    const learned = `${formatCount(sum.learned)} learned`;
    if (resumedAt === 0) return `, ${learned}`;
    return `, from step ${resumedAt + 1} on; ${learned} in all ${formatCounted(step, 'step')}`;
  };
  return (event) => {
    switch (event.type) {
      case 'run-start':
        steps = event.steps;
        resumedAt = event.step;
        sum.learned = event.learnedBefore;
        return `${event.resumedFrom ? `Resuming from ${event.resumedFrom}` : 'Training'}: ${formatCounted(steps, 'step')}, ${formatCount(event.trainableParameters)} parameters, ${event.engine}`;
      case 'step-end': {
        first ??= { at: context.now().getTime() - event.seconds * 1000, step: event.step - 1 };
        sum.tokens += event.tokens;
        sum.learned += event.learnedTokens;
        sum.seconds += event.seconds;
        sum.loss = event.loss;
        const left = steps - event.step;
        const perStepMs = (context.now().getTime() - first.at) / (event.step - first.step);
        return [
          `step ${event.step}/${steps}`,
          `loss ${event.loss.toFixed(4)}`,
          `${(event.tokens / event.seconds).toFixed(0)} tok/s`,
          `${formatCount(sum.learned)} learned`,
          `${event.memoryGiB.toFixed(2)} GiB`,
          ...(left > 0 ? [`${formatDuration(left * perStepMs)} left`] : []),
        ].join('  ');
      }
      case 'eval-end':
        return `held-out loss ${event.loss.toFixed(4)} after step ${event.step}`;
      case 'checkpoint-saved':
        return `saved ${event.checkpoint}`;
      case 'warning':
        return `warning ${event.message} [${event.code}]`;
      case 'run-failed':
        return undefined;
      case 'run-end':
        return event.reason === 'stopped'
          ? `stopped after ${formatCounted(event.step, 'step')}`
          : `trained on ${formatCount(sum.tokens)} tokens in ${formatDuration(sum.seconds * 1000)}${ofRun(event.step)}${Number.isNaN(sum.loss) ? '' : `: last loss ${sum.loss.toFixed(4)}`}`;
    }
  };
}
