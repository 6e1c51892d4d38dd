import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { canonicalJson } from '../../core/canonical-json.ts';
import { fingerprint } from '../../core/fingerprint.ts';
import { planHash } from '../../core/plan-hash.ts';
import { randomStream } from '../../core/random.ts';
import { listFiles } from '../files/files.ts';
import { openStore } from '../open-store.ts';
import { checkDocuments } from './documents.ts';
import { type ChainFixture, writeChain } from './fixture.ts';
import { type Trace, traceAnswer } from './trace.ts';

let scratch: string;
let chain: ChainFixture;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'martlet-trace-'));
  chain = await writeChain(scratch);
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

const problemsOf = (trace: Trace): string[] => trace.hops.flatMap((hop) => hop.problems);

/** The trace while a file has other content. */
async function traceWith(file: string, content: string | Buffer): Promise<Trace> {
  const before = await readFile(file);
  await writeFile(file, content);
  try {
    return await traceAnswer(chain.store, chain.answer);
  } finally {
    await writeFile(file, before);
  }
}

describe('an untouched chain', () => {
  test('is complete, from the answer to the lines of the source', async () => {
    const trace = await traceAnswer(chain.store, chain.answer, { rows: 2 });
    expect(problemsOf(trace)).toEqual([]);
    expect(trace.complete).toBe(true);
    expect(trace.hops.map(({ kind, address, parent }) => [kind, address, parent])).toEqual([
      ['answer', 'answer-1', null],
      ['deployment', 'brief@1', 0],
      ['model', 'brief@1', 1],
      ['run', 'brief@1', 2],
      ['plan', 'brief@1', 3],
      ['shards', 'brief@1', 3],
      ['dataset', 'brief@1', 5],
      ['file', chain.source, 6],
      ['base', 'pypi:tiny', 5],
      ['report', 'brief@1', 3],
      ['audit', 'audit/log.jsonl', null],
    ]);
    expect(trace.rowCount).toBe(3);
    expect(trace.rows.map(({ file, line, ok, preview }) => [file, line, ok, preview])).toEqual([
      [chain.source, 1, true, 'AAA closed at 12, up from 10.'],
      [chain.source, 2, true, 'BBB closed at 12, up from 10.'],
    ]);
  });

  test('is complete where its store was moved to', async () => {
    const root = await mkdtemp(join(tmpdir(), 'martlet-moved-'));
    onTestFinished(() => rm(root, { recursive: true }));
    await cp(chain.store.root, root, { recursive: true });
    const store = await openStore({ root, clock: () => new Date(0), who: 'test' });
    const trace = await traceAnswer(store, chain.answer);
    expect(problemsOf(trace)).toEqual([]);
    expect(trace.complete).toBe(true);
  });

  test('a plan of a version with other recipes is held to the hash of what stands in it', async () => {
    const artefact = await chain.store.open('plan', 'brief@1');
    const file = join(artefact.folder, 'plan.json');
    const before = await readFile(file);
    const plan = JSON.parse(before.toString());
    plan.values.data.dialect = 'of another version';
    const problems = async (hash: string, schema = plan.schema): Promise<readonly string[]> => {
      await writeFile(file, JSON.stringify({ ...plan, hash, schema }));
      return (await checkDocuments({ store: chain.store, artefact })).problems;
    };
    try {
      expect(await problems(planHash(plan))).toEqual([]);
      // In the first version it was over all values.
      expect(await problems(fingerprint({ values: plan.values, loss: plan.loss }), 'plan/1')).toEqual([]);
      expect(await problems(plan.hash)).toEqual([expect.stringContaining('not the one of its values and loss')]);
    } finally {
      await writeFile(file, before);
    }
  });

  test('an unknown answer is named with the nearest one', async () => {
    await expect(traceAnswer(chain.store, 'anser-1')).rejects.toMatchObject({
      code: 'answer-missing',
      hint: 'Did you mean answer-1?',
    });
  });
});

describe('one changed byte', () => {
  test('in any file of the store, the base or the source makes it incomplete, and the file is named', async () => {
    const random = randomStream(20260102);
    // A cached base's own record is no artefact; what it says of the files is proven by its fingerprint.
    const files = (await listFiles(scratch)).filter((file) => file !== 'base/model.json' && file !== 'store/audit/key');
    expect(files).toHaveLength(41);
    let empty = 0;
    for (const file of files) {
      const path = join(scratch, file);
      const bytes = await readFile(path);
      // Of the empty files of held-out rows, one stands for all.
      if (bytes.length === 0 && empty++ > 0) continue;
      for (const place of [random.below(Math.max(1, bytes.length))]) {
        // An empty file gets a byte.
        const changed = bytes.length > 0 ? Buffer.from(bytes) : Buffer.from('\n');
        if (bytes.length > 0) changed[place] = (changed[place] ?? 0) ^ (1 << random.below(7));
        const trace = await traceWith(path, changed);
        expect(trace.complete, `byte ${place} of ${file}`).toBe(false);
        const named = file.startsWith('store/') ? relative('store', file) : path;
        expect(problemsOf(trace).join('\n'), `byte ${place} of ${file}`).toContain(named);
      }
    }
    expect((await traceAnswer(chain.store, chain.answer)).complete).toBe(true);
  }, 60_000);

  test('also shows where a file was removed', async () => {
    for (const file of ['datasets/brief@1/rows.jsonl', 'models/brief@1/model.json', 'runs/brief@1/lineage.json']) {
      const path = join(chain.store.root, file);
      const bytes = await readFile(path);
      await rm(path);
      const trace = await traceAnswer(chain.store, chain.answer);
      await writeFile(path, bytes);
      expect(trace.complete).toBe(false);
      expect(problemsOf(trace).join('\n')).toContain(file);
    }
  });
});

describe('whole artefacts that do not belong together', () => {
  test('a capture written anew without the audit log', async () => {
    const file = join(chain.store.root, 'captures', 'brief@1.jsonl');
    const capture = JSON.parse(await readFile(file, 'utf8'));
    const trace = await traceWith(file, `${canonicalJson({ ...capture, answer: 'AAA closed at 13.' })}\n`);
    expect(problemsOf(trace)).toEqual([`${file}:1 was altered: the audit log has another`]);
  });

  test('an answer that names another model, plan or request than its deployment', async () => {
    const wrong = await Promise.all([
      chain.capture({ id: 'wrong-model', modelFingerprint: 'a'.repeat(64) }),
      chain.capture({ id: 'wrong-plan', planHash: 'b'.repeat(64) }),
      chain.capture({ id: 'wrong-name', model: 'other' }),
      chain.capture({ id: 'wrong-request', requestDigest: 'c'.repeat(64) }),
      chain.capture({ id: 'wrong-deployment', deploymentFingerprint: 'd'.repeat(64) }),
    ]);
    const found = await Promise.all(
      wrong.map(async ({ id }) =>
        problemsOf(await traceAnswer(chain.store, id)).map((each) => each.replace(/^.*\//, '')),
      ),
    );
    expect(found).toEqual([
      ['deployment.json serves another brief than the one that answered'],
      ['deployment.json states another plan hash than the answer'],
      ['deployment.json serves no other'],
      [expect.stringContaining('holds another request than was digested')],
      ['brief@1 is not what answer wrong-deployment was made from'],
    ]);
  });
});
