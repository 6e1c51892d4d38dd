import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fingerprintText } from '../core/fingerprint.ts';
import type { Dataset } from '../schema/dataset.ts';
import type { PlanValues } from '../schema/plan.ts';
import type { Sample } from '../schema/sample.ts';
import { type BuildShardsRequest, buildShards } from './build-shards.ts';
import type { EncodeSample } from './documents.ts';
import { encodeBlock } from './encode-block.ts';

/** What the shard stage reads of a plan. */
export function planValues(
  more: {
    readonly render?: Partial<PlanValues['render']>;
    readonly train?: Partial<PlanValues['train']>;
    readonly budget?: Partial<PlanValues['data']['budget']>;
  } = {},
): PlanValues {
  return {
    name: 'test',
    base: ['none'],
    method: { name: 'sft', parameters: {} },
    data: {
      sources: [],
      steps: [],
      mix: 'concat',
      mixStop: 'first-exhausted',
      seed: 42,
      maxRowMiB: 64,
      turns: 'keep',
      split: { by: null, heldOut: null, share: 0 },
      budget: { dropped: 0, truncated: 0, ...more.budget },
    },
    render: {
      template: 'model',
      learn: 'assistant',
      weights: [],
      rewritten: 'refuse',
      controlTokens: 'text',
      agent: 'none',
      system: null,
      lengthTokens: 100,
      overflow: 'refuse',
      ...more.render,
    },
    adapter: { kind: 'full' },
    train: {
      epochs: 1,
      maxSteps: null,
      rowsPerStep: 16,
      groupByLength: false,
      learningRate: 1,
      schedule: 'constant',
      warmup: 0,
      minLearningRate: 0,
      weightDecay: 0,
      betas: [0.9, 0.999],
      epsilon: 1e-8,
      clipNorm: 1,
      seed: 42,
      ...more.train,
    },
    eval: { tasks: [], rows: 1, maxTokens: 1 },
    export: { formats: [], tolerance: 1, certifyRows: 1 },
  };
}

/** The id of the sample of a line. */
export const spelledId = (line: number): string => fingerprintText(`id-${line}`);

/** A sample whose tokens stand in its text: `4 5 *6 *7` is four tokens, of which two are learned. */
export const spelled = (answer: string, line: number, more: Partial<Sample> = {}): Sample => ({
  id: spelledId(line),
  messages: [
    { role: 'user', content: 'q' },
    { role: 'assistant', content: answer },
  ],
  split: 'train',
  provenance: { source: 'rows.jsonl', file: '/data/rows.jsonl', line, sha256: line.toString(16).padStart(64, '0') },
  ...more,
});

/** `*` learns with weight 1, `~` with a half. `!` is a template's refusal. */
export const encodeSpelled: EncodeSample = ({ messages }) => {
  const content = messages.at(-1)?.content;
  const words = typeof content === 'string' ? content.split(' ') : [];
  if (words[0] === '!')
    return { ok: false, issues: [{ code: 'refused', severity: 'error', path: ['messages', 0], message: 'no.' }] };
  return {
    ok: true,
    value: {
      ids: Uint32Array.from(words, (word) => Number(word.replace(/[*~]/, ''))),
      weights: Float32Array.from(words, (word) => (word.startsWith('*') ? 1 : word.startsWith('~') ? 0.5 : 0)),
    },
  };
};

export interface BuildTestShards extends Partial<BuildShardsRequest> {
  readonly encode?: EncodeSample;
  readonly rowsPerBlock?: number;
}

/** Samples as a dataset holds them, in blocks of lines. */
export async function* blocksOf(samples: readonly Sample[], rowsPerBlock: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < samples.length; at += rowsPerBlock)
    yield Buffer.from(
      samples
        .slice(at, at + rowsPerBlock)
        .map((sample) => `${JSON.stringify(sample)}\n`)
        .join(''),
    );
}

export function testShards() {
  const folder = mkdtempSync(join(tmpdir(), 'martlet-shards-'));
  let count = 0;
  return {
    remove: () => rmSync(folder, { recursive: true }),
    folder: () => mkdtempSync(join(folder, `shards-${count++}-`)),
    async build(
      samples: readonly Sample[],
      { encode = encodeSpelled, rowsPerBlock = 7, ...more }: BuildTestShards = {},
    ) {
      const into = mkdtempSync(join(folder, `shards-${count++}-`));
      const { values = planValues(), layout = 'sequence' } = more;
      const manifest = await buildShards({
        values,
        packTokens: 32,
        packing: 'best-fit',
        dataset: datasetOf(samples),
        blocks: (skip) => blocksOf(samples.slice(skip * rowsPerBlock), rowsPerBlock),
        encoders: [(lines) => encodeBlock(lines, { layout, encode, render: values.render })],
        folder: into,
        tokenizerFingerprint: 'a'.repeat(64),
        templateFingerprint: 'b'.repeat(64),
        stopTokens: [2],
        layout,
        day: '2026-11-28',
        code: 'test',
        ...more,
      });
      return { folder: into, manifest };
    },
  };
}

export function datasetOf(samples: readonly Sample[], invalid = 0): Dataset {
  const train = samples.filter(({ split }) => split === 'train').length;
  const heldout = samples.length - train;
  return {
    schema: 'dataset/1',
    rowsIn: samples.length + invalid,
    fates: { train, heldout, invalid, filtered: 0, duplicate: 0, contaminated: 0, limited: 0, embargoed: 0 },
    steps: [],
    formats: {},
  };
}
