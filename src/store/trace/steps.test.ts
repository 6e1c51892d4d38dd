import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ChainFixture, writeChain } from './fixture.ts';
import { traceStep } from './steps.ts';

let scratch: string;
let chain: ChainFixture;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'martlet-trace-step-'));
  chain = await writeChain(scratch);
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

const run = 'brief@1';

test('a step leads to its rows in their source, and to what the run noted of it', async () => {
  // The fixture trains its three rows from the last to the first.
  for (const step of [1, 2, 3]) {
    const traced = await traceStep(chain.store, { run, step });
    expect(traced).toMatchObject({ run, shards: run, dataset: run, step, steps: 3, problems: [] });
    expect(traced.event).toMatchObject({ step, loss: 3 - step / 2 });
    expect(traced.rows).toEqual([
      expect.objectContaining({ file: chain.source, line: 4 - step, ok: true, pack: 1, documents: [10], cutTokens: 0 }),
    ]);
  }
});

test('a step that is not there is told with those that are', async () => {
  for (const step of [0, 4])
    await expect(traceStep(chain.store, { run, step })).rejects.toMatchObject({
      code: 'step-missing',
      hint: 'It has steps 1 to 3.',
    });
  await expect(traceStep(chain.store, { run: 'bref@1', step: 1 })).rejects.toMatchObject({ code: 'artefact-missing' });
});

test('a row that was changed since, or shards that were, do not pass', async () => {
  const schedule = join(chain.store.root, 'shards/brief@1/train.schedule.u32');
  for (const [file, change, problem, ok] of [
    [chain.source, (bytes: Buffer) => Buffer.from(bytes.toString().replace('CCC', 'CCD')), /rows\.jsonl:3/, false],
    // Steps 1 and 3 change places: each row still stands where it did.
    [schedule, () => Buffer.from(Uint32Array.of(0, 1, 2).buffer), /train\.schedule\.u32 was altered/, true],
  ] as const) {
    const before = await readFile(file);
    await writeFile(file, change(before));
    const traced = await traceStep(chain.store, { run, step: 1 });
    await writeFile(file, before);
    expect(traced.problems.join('\n')).toMatch(problem);
    expect(traced.rows[0]?.ok).toBe(ok);
  }
});
