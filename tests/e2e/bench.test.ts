import { beforeEach, expect, test } from 'vitest';
import { measureProcess } from '../../bench/measure-process.ts';
import { requireOrSkip } from '../support/skip.ts';

beforeEach((context) =>
  requireOrSkip(context, process.platform === 'linux', { kind: 'platform', reason: 'memory is read from /proc' }),
);

/** A process whose child holds 300 MiB for half a second, then both end. */
const holder = `
const held = 'const held = Buffer.alloc(300 * 2 ** 20, 1); setTimeout(() => held.length, 500)';
require('node:child_process').spawnSync(process.execPath, ['-e', held]);
console.log('not JSON'); console.log(JSON.stringify({ done: true }));
`;

test('memory is that of the whole process tree, at its height', async () => {
  const { lines, peakMemoryGiB } = await measureProcess({
    command: process.execPath,
    args: ['-e', holder],
    env: process.env,
  });
  expect(lines.map(({ value }) => value)).toEqual([{ done: true }]);
  expect(peakMemoryGiB).toBeGreaterThan(0.3);
  expect(peakMemoryGiB).toBeLessThan(0.7);
});

test('a program that would run for ever is stopped, and one that fails says why', async () => {
  const forever = `console.log('{"url": "here"}'); setInterval(() => {}, 1000)`;
  const stopped = await measureProcess({
    command: process.execPath,
    args: ['-e', forever],
    env: process.env,
    onLine: (_, stop) => stop(),
  });
  expect(stopped.lines).toHaveLength(1);
  const failing = measureProcess({
    command: process.execPath,
    args: ['-e', 'throw Error("on purpose")'],
    env: process.env,
  });
  await expect(failing).rejects.toThrow('on purpose');
});
