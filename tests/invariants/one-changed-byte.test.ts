import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { traceAnswer } from '../../src/store/trace/trace.ts';
import { filesOf, flipBytes, makeChain, type PipelineChain } from '../support/pipeline-chain.ts';

let chain: PipelineChain;
beforeAll(async () => {
  chain = await makeChain();
});
afterAll(() => rm(chain.folder, { recursive: true, force: true }));

/** What every artefact of the chain consists of, beside the source and the base. */
const expected = [
  'base/config.json',
  'base/model.safetensors',
  'base/tokenizer.json',
  'rows.jsonl',
  'store/audit/head.json',
  'store/audit/log.jsonl',
  'store/captures/brief@1.jsonl',
  'store/datasets/brief@1/dataset.json',
  'store/datasets/brief@1/rows.jsonl',
  'store/deployments/brief@1/deployment.json',
  'store/feedback/brief@1/rows.jsonl',
  'store/feedback/brief@1/preference.jsonl',
  'store/models/brief@1/adapter/adapter_model.safetensors',
  'store/models/brief@1/gguf/model-f32.gguf',
  'store/models/brief@1/model.json',
  'store/models/brief@1/safetensors/model.safetensors',
  'store/plans/brief@1/plan.json',
  'store/reports/brief@1/report.json',
  'store/runs/brief@1/events.jsonl',
  'store/runs/brief@1/run.json',
  'store/shards/brief@1/train.ids.u32',
  'store/shards/brief@1/train.weights.f32',
];

test('the chain is whole', async () => {
  const trace = await traceAnswer(chain.store, chain.answer);
  expect(trace.hops.flatMap(({ problems }) => problems)).toEqual([]);
  expect(trace.complete).toBe(true);
  expect(new Set(trace.hops.map(({ kind }) => kind))).toEqual(
    new Set([
      ...['answer', 'deployment', 'model', 'run', 'plan', 'shards', 'dataset', 'file', 'base'],
      ...['judgement', 'feedback', 'report', 'audit'],
    ]),
  );
  expect(trace.rowCount).toBeGreaterThan(0);
});

test('one changed byte in any file of it makes the trace incomplete, and the file is named', async () => {
  const files = await filesOf(chain);
  expect(files).toEqual(expect.arrayContaining(expected));
  for (const kind of [
    /checkpoints\/.*adapter_model.safetensors/,
    /checkpoints\/.*optimizer.safetensors/,
    /lineage.json/,
  ])
    expect(files.some((file) => kind.test(file))).toBe(true);
  await flipBytes(chain, { places: 1, seed: 20261124 });
});
