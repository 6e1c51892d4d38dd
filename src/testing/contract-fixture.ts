import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fingerprintText } from '../core/fingerprint.ts';
import { randomStream, streamKey } from '../core/random.ts';
import type { Plan } from '../schema/plan.ts';
import type { Sample } from '../schema/sample.ts';
import { buildShards, type EncodeSample, encodeBlock } from '../shard/index.ts';
import type { LoadRequest } from '../spec/train-engine.ts';
import { testPlan } from './test-plan.ts';
import { writeTinyModel } from './tiny-model.ts';

export interface ContractRow {
  readonly ids: Uint32Array;
  /** How strongly each token is learned; 0 for the prompt. */
  readonly weights: Float32Array;
}

export interface ContractRun {
  readonly plan: Plan;
  readonly folder: string;
  readonly train: readonly ContractRow[];
  readonly heldout: readonly ContractRow[];
  /** What a session is asked to load, to train from the start unless told otherwise. */
  load(more?: Partial<LoadRequest>): LoadRequest;
  emptyFolder(name: string): Promise<string>;
}

export interface ContractRunOptions {
  readonly folder: string;
  readonly flags?: readonly string[];
}

const rowsPerStep = 4;
const steps = 4;
/** Of a special token, of bytes: any id of the tiny tokenizer will do. */
const highestId = 250;

/** A tiny model, a plan, and shards of random rows of 8 to 15 tokens: four steps of four rows, and three held-out rows. */
export async function contractRun({ folder, flags = [] }: ContractRunOptions): Promise<ContractRun> {
  const own = await mkdtemp(join(folder, 'run-'));
  const [baseFolder, shardsFolder] = [join(own, 'model'), join(own, 'shards')];
  await writeTinyModel(baseFolder, { seed: 3, headDim: 16 });
  const plan = testPlan({
    base: baseFolder,
    flags: [
      `train.rowsPerStep=${rowsPerStep}`,
      'train.learningRate=0.02',
      'train.schedule=constant',
      'train.warmup=0',
      'render.lengthTokens=64',
      'train.packTokens=128',
      ...flags,
    ],
  });
  const rows = Array.from({ length: rowsPerStep * steps + 3 }, (_, index) => randomRow(index));
  const [train, heldout] = [rows.slice(0, rowsPerStep * steps), rows.slice(rowsPerStep * steps)];
  await mkdir(shardsFolder);
  const encodeRow: EncodeSample = ({ provenance }) => {
    const row = rows[provenance.line - 1];
    return row ? { ok: true, value: row } : { ok: false, issues: [] };
  };
  await buildShards({
    values: plan.values,
    packTokens: plan.execution.packTokens,
    packing: plan.execution.packing,
    dataset: {
      schema: 'dataset/1',
      rowsIn: rows.length,
      fates: {
        train: train.length,
        heldout: heldout.length,
        invalid: 0,
        filtered: 0,
        duplicate: 0,
        contaminated: 0,
        limited: 0,
        embargoed: 0,
      },
      steps: [],
      formats: {},
    },
    blocks: async function* () {
      for (const [index] of rows.entries())
        yield Buffer.from(`${JSON.stringify(sampleOf(index, index < train.length ? 'train' : 'heldout'))}\n`);
    },
    encoders: [(lines) => encodeBlock(lines, { layout: 'sequence', render: plan.values.render, encode: encodeRow })],
    folder: shardsFolder,
    tokenizerFingerprint: 'a'.repeat(64),
    templateFingerprint: 'b'.repeat(64),
    stopTokens: [2],
    layout: 'sequence',
    day: '2026-11-28',
    code: 'test',
  });
  const planFile = join(own, 'plan.json');
  await writeFile(planFile, JSON.stringify(plan));
  return {
    plan,
    folder: own,
    train,
    heldout,
    load: (more = {}) => ({
      planFile,
      baseFolder,
      shardsFolder,
      checkpointFolder: null,
      purpose: 'training',
      ...more,
    }),
    async emptyFolder(name) {
      const path = join(own, name);
      await mkdir(path);
      return path;
    },
  };
}

function randomRow(index: number): ContractRow {
  const random = randomStream(streamKey(17, index));
  const length = 8 + random.below(8);
  const prompt = 3 + random.below(3);
  return {
    ids: Uint32Array.from({ length }, () => 3 + random.below(highestId)),
    weights: Float32Array.from({ length }, (_, place) => (place < prompt ? 0 : place % 3 === 0 ? 0.5 : 1)),
  };
}

const sampleOf = (index: number, split: Sample['split']): Sample => ({
  id: fingerprintText(`row-${index}`),
  messages: [{ role: 'user', content: String(index) }],
  split,
  provenance: { source: 'rows.jsonl', file: '/rows.jsonl', line: index + 1, sha256: 'c'.repeat(64) },
});
