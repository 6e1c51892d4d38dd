import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { requireOrSkip } from '../../../tests/support/skip.ts';
import { ownerState, ownerToken } from './owner.ts';

const tokenOf = (pid: number): string => ownerToken().replace(/^\d+\.[^.]+/, `${pid}.x`);

test('a process that was killed and never reaped is gone, its parent lives', async (context) => {
  requireOrSkip(context, process.platform === 'linux', { kind: 'platform', reason: 'read from /proc' });
  // What replaces the shell knows nothing of the child it is left with.
  const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const child = Number(line.toString());
    expect(ownerState(tokenOf(child))).toBe('alive');
    const name = async (pid: number | undefined) => readFile(`/proc/${pid}/comm`, 'utf8');
    await expect.poll(() => name(parent.pid)).toBe('sleep\n');
    process.kill(child, 'SIGKILL');
    await expect.poll(() => ownerState(tokenOf(child))).toBe('gone');
    // It is there all the same, as far as signals can tell.
    expect(process.kill(child, 0)).toBe(true);
    expect(ownerState(tokenOf(parent.pid ?? 0))).toBe('alive');
  } finally {
    parent.kill();
  }
});
