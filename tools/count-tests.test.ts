import { expect, test } from 'vitest';
import { countTests, type VitestReport } from './count-tests.ts';

type File = VitestReport['testResults'][number];
type Case = File['assertionResults'][number];

const passed = { fullName: 'adds', status: 'passed', meta: {} } satisfies Case;
const failed = { fullName: 'divides', status: 'failed', meta: {} } satisfies Case;
const noGpu = {
  fullName: 'trains on a GPU',
  status: 'skipped',
  meta: { skip: { kind: 'accelerator', reason: 'no CUDA device' } },
} satisfies Case;
const noPython = {
  fullName: 'equals jinja2',
  status: 'skipped',
  meta: { skip: { kind: 'tool', reason: 'no oracles; run martlet setup oracles' } },
} satisfies Case;
const silent = { fullName: 'later', status: 'todo', meta: {} } satisfies Case;

const report = (cases: readonly Case[], file: Partial<File> = {}): VitestReport => ({
  success: true,
  testResults: [{ name: '/p/src/a.test.ts', status: 'passed', message: '', assertionResults: cases, ...file }],
});

test('a skipped test is named with its reason', () => {
  const counts = countTests(report([passed, passed, noPython, noGpu]), { root: '/p', strict: false });
  expect(counts).toEqual({
    passed: 2,
    failed: 0,
    skipped: 2,
    notes: [
      'skipped: src/a.test.ts > equals jinja2: no oracles; run martlet setup oracles',
      'skipped: src/a.test.ts > trains on a GPU: no CUDA device',
    ],
  });
});

test('in CI only a missing accelerator or another platform may skip', () => {
  const counts = countTests(report([passed, noPython, noGpu, silent]), { root: '/p', strict: true });
  expect(counts).toMatchObject({ passed: 1, failed: 2, skipped: 1 });
  expect(counts.notes[0]).toBe(
    'not run, and CI must run it: src/a.test.ts > equals jinja2: no oracles; run martlet setup oracles',
  );
  expect(counts.notes[2]).toContain('no reason given');
});

test('a file that does not load is a failure', () => {
  const broken = report([], { status: 'failed', message: 'Cannot find module' });
  expect(countTests({ ...broken, success: false }, { root: '/p', strict: false })).toEqual({
    passed: 0,
    failed: 1,
    skipped: 0,
    notes: ['did not run to its end: src/a.test.ts: Cannot find module'],
  });
});

test('tests behind a set-up that failed say so', () => {
  const behind = report([{ ...silent, status: 'skipped' }], { status: 'failed', message: 'no server' });
  expect(countTests({ ...behind, success: false }, { root: '/p', strict: false })).toEqual({
    passed: 0,
    failed: 1,
    skipped: 1,
    notes: [
      'skipped: src/a.test.ts > later: its file failed before it ran',
      'did not run to its end: src/a.test.ts: no server',
    ],
  });
});

test('a file that failed because a test did counts that test alone', () => {
  const counts = countTests(
    { ...report([passed, failed], { status: 'failed' }), success: false },
    { root: '/p', strict: false },
  );
  expect(counts).toMatchObject({ passed: 1, failed: 1 });
});

test('an error outside every test is a failure', () => {
  expect(countTests({ ...report([passed]), success: false }, { root: '/p', strict: false })).toMatchObject({
    failed: 1,
  });
});
