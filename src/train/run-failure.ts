import { MartletError, messageOf } from '../core/error.ts';
import { systemFailure } from '../core/system-failure.ts';

/** Why a run failed and what mends it: never empty. */
export interface RunFailure {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly retryable: boolean;
}

/** The cause of a failure as the event log tells it. What the engine has named keeps its name. */
export function runFailure(error: unknown): RunFailure {
  const named = MartletError.is(error) ? error : undefined;
  const system = named && named.code !== 'bug' ? undefined : systemFailure(error);
  if (system) return system;
  const message = messageOf(error);
  return {
    code: named?.code ?? 'run-failed',
    message: message === '' ? 'no reason was given' : message,
    hint: named?.hint ?? 'Mend the cause and run it again: it goes on from the last checkpoint.',
    retryable: named?.retryable ?? false,
  };
}
