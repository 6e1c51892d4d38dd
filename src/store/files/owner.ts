import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * Names the process that owns a lock or an unfinished folder, in a form that fits a file name:
 * `<process>.<start>.<host>.<random>`. The start tells a process from a later one that got the same number.
 */
export function ownerToken(): string {
  self ??= `${process.pid}.${processStart(process.pid) ?? 'x'}.${hostId()}`;
  return `${self}.${randomBytes(6).toString('hex')}`;
}
let self: string | undefined;

/**
 * What became of an owner: `gone` when that process has certainly ended, `foreign` when it ran on another machine (or
 * in another container), of which nothing can be said.
 */
export function ownerState(token: string): 'alive' | 'self' | 'gone' | 'foreign' {
  const [pid, start, host] = token.split('.');
  if (host !== hostId()) return 'foreign';
  if (Number(pid) === process.pid) return start === (processStart(process.pid) ?? 'x') ? 'self' : 'gone';
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    // EPERM: it lives, under another user.
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return 'gone';
  }
  const now = processStart(Number(pid));
  // One that was killed and that nobody has reaped, as in a container without an init, still answers to signals.
  if (now === 'dead') return 'gone';
  return start !== 'x' && now !== undefined && now !== start ? 'gone' : 'alive';
}

/** The owner's name at the end of a file name, if one stands there. */
export function leftoverOwner(name: string): string | undefined {
  return /\d+\.(?:[0-9a-f]+-\d+|x)\.[0-9a-f]{12}\.[0-9a-f]{12}$/.exec(name)?.[0];
}

/** `process 4711`, for messages. */
export function ownerName(token: string): string {
  return `process ${token.split('.')[0]}`;
}

function hostId(): string {
  host ??= createHash('sha256').update(hostname()).digest('hex').slice(0, 12);
  return host;
}
let host: string | undefined;

/** When a process began, in ticks since a named boot, or that it has ended already and is only kept in the table; Linux only. */
function processStart(pid: number): string | 'dead' | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8);
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in brackets, which may hold anything; `starttime` is the 22nd.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return 'dead';
    const ticks = fields[22 - 3];
    return ticks === undefined ? undefined : `${boot}-${ticks}`;
  } catch {
    return undefined;
  }
}
