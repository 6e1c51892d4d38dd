import { userInfo } from 'node:os';
import type { CliContext } from './context.ts';

/**
 * Who is at work: `MARTLET_USER`, else what the environment calls the user, else the account of the process. Undefined
 * where nothing has a name, as in a container whose user id is in no list of accounts.
 */
export function userName({ env }: Pick<CliContext, 'env'>, account: () => string = accountName): string | undefined {
  for (const name of [env.MARTLET_USER, env.USER, env.LOGNAME, env.USERNAME]) if (name?.trim()) return name;
  try {
    return account().trim() || undefined;
  } catch {
    return undefined;
  }
}

function accountName(): string {
  return userInfo().username;
}
