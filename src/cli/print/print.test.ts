import { expect, test } from 'vitest';
import { palette } from './palette.ts';
import { progressLine } from './progress-line.ts';
import { formatTable } from './table.ts';

test('a table keeps its columns under their titles, colours or not', () => {
  const { red } = palette({ colour: true });
  expect(
    formatTable(
      [{ title: 'step' }, { title: 'loss', align: 'right' }],
      [
        ['1', '2.5'],
        [red('10'), '0.125'],
      ],
    ),
  ).toBe(`step   loss\n1       2.5\n${red('10')}    0.125\n`);
  expect(palette({ colour: false }).red('x')).toBe('x');
});

function line(isTerminal: boolean) {
  const said: string[] = [];
  let time = 0;
  const progress = progressLine({
    err: (text) => void said.push(text),
    isTerminal,
    columns: 12,
    now: () => new Date(time),
  });
  return { progress, said, at: (ms: number) => (time = ms) };
}

test('on a terminal one line is drawn again, ten times a second at most, and never wraps', () => {
  const { progress, said, at } = line(true);
  progress.update('step 1');
  at(50);
  progress.update('step 2');
  at(100);
  progress.update('step 3 of many more');
  progress.note('saved');
  progress.finish('done');
  expect(said).toEqual([
    '\r\x1b[2Kstep 1',
    '\r\x1b[2Kstep 3 of …',
    '\r\x1b[2Ksaved\n',
    '\r\x1b[2Kstep 3 of …',
    '\r\x1b[2Kdone',
    '\n',
  ]);
});

test('what is over leaves nothing behind, and what comes next is shown at once', () => {
  const { progress, said } = line(true);
  progress.update('step 1');
  progress.clear();
  progress.note('run a@1');
  progress.update('answers');
  progress.clear();
  progress.finish();
  expect(said).toEqual(['\r\x1b[2Kstep 1', '\r\x1b[2K', '\r\x1b[2Krun a@1\n', '\r\x1b[2Kanswers', '\r\x1b[2K']);
});

test('in a log a line is written every ten seconds, and the last one always', () => {
  const { progress, said, at } = line(false);
  progress.update('step 1');
  at(9_000);
  progress.update('step 2');
  at(10_000);
  progress.update('step 3');
  progress.update('step 4');
  progress.finish();
  progress.finish();
  expect(said).toEqual(['step 1\n', 'step 3\n', 'step 4\n']);
});
