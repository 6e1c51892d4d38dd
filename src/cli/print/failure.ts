import { inspect } from 'node:util';
import { MartletError } from '../../core/error.ts';
import { formatIssue } from '../../core/issue.ts';
import { stoppedError, tellsOfStop } from '../../core/stopped.ts';
import { systemFailure } from '../../core/system-failure.ts';
import type { CliContext } from '../context.ts';
import { palette } from './palette.ts';

/** Says what went wrong on `err`. @returns the exit code: 1 failed, 2 the input is wrong, 130 interrupted. */
export function printFailure(failure: unknown, context: CliContext): number {
  const colours = palette(context);
  const error = tellsOfStop(failure, context.signal) ? asStopped(failure) : failure;
  if (MartletError.is(error)) {
    // An edge that can only stop has put its issues into the message already.
    const issues = error.issues.filter((issue) => !error.message.includes(formatIssue(issue)));
    const warnings = issues.filter(({ severity }) => severity === 'warning');
    // It says itself what is kept and how to go on.
    const asked = error.code === 'stopped';
    const lines = [
      `${asked ? colours.cyan('stop ') : colours.red('error')} ${error.message} ${colours.dim(`[${error.code}]`)}`,
      ...issues.filter(({ severity }) => severity === 'error').map((issue) => `  ${formatIssue(issue)}`),
      ...warnings.map((issue) => `${colours.yellow('warning')} ${formatIssue(issue)}`),
    ];
    if (error.hint) lines.push(`${colours.cyan(asked ? 'next' : 'fix ')}  ${error.hint}`);
    context.err(`${lines.join('\n')}\n`);
    if (asked) return 130;
    return error.issues.some((issue) => issue.severity === 'error') || error.code === 'invalid-input' ? 2 : 1;
  }
  const machine = systemFailure(error);
  if (machine) return printFailure(new MartletError(machine.code, machine.message, machine), context);
  const system = error instanceof Error && 'syscall' in error;
  context.err(`${colours.red('error')} ${system ? error.message : inspect(error)}\n`);
  return 1;
}

/** Nothing went wrong; where whoever was stopped does not say what is kept, nothing was begun that needs a word. */
function asStopped(cause: unknown): MartletError {
  if (MartletError.is(cause) && cause.code === 'stopped') return cause;
  return stoppedError('interrupted', { next: 'Give the same command again.', cause });
}
