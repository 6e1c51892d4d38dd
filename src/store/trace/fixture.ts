import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { issuesError } from '../../core/error.ts';
import { fingerprint, fingerprintText } from '../../core/fingerprint.ts';
import { readRecipe, resolvePlan } from '../../recipe/index.ts';
import type { Checkpoint, Run } from '../../schema/checkpoint.ts';
import type { Json } from '../../schema/common.ts';
import type { Dataset } from '../../schema/dataset.ts';
import type { Capture, Deployment } from '../../schema/deployment.ts';
import type { RunEvent } from '../../schema/event.ts';
import type { LineageInput } from '../../schema/lineage.ts';
import type { BaseModel, Model } from '../../schema/model.ts';
import type { Plan } from '../../schema/plan.ts';
import type { Report } from '../../schema/report.ts';
import type { Sample } from '../../schema/sample.ts';
import type { ShardSplit, Shards } from '../../schema/shards.ts';
import { appendCapture } from '../audit/captures.ts';
import { hashFile, hashFolder } from '../files/files.ts';
import { artefactInput, openStore } from '../open-store.ts';
import { packShardRow } from '../shards/shard-layout.ts';
import type { Artefact, Store } from '../store.ts';

/** A small chain in which every link is real but the weights: for tests of what walks it. */
export interface ChainFixture {
  readonly store: Store;
  readonly answer: string;
  readonly source: string;
  readonly base: string;
  readonly deployment: Artefact;
  /** Adds another captured answer to the same deployment. */
  readonly capture: (over?: Partial<Capture>) => Promise<Capture>;
}

const name = 'brief';
const noFates = {
  train: 0,
  heldout: 0,
  filtered: 0,
  duplicate: 0,
  contaminated: 0,
  limited: 0,
  invalid: 0,
  embargoed: 0,
};
const now = new Date('2026-01-02T03:04:05Z');

/** Writes a source file, a base model and a store with everything from plan to captured answer into an empty folder. */
export async function writeChain(folder: string): Promise<ChainFixture> {
  const store = await openStore({
    root: join(folder, 'store'),
    clock: () => now,
    who: 'tester',
    code: { version: '0.0.0', revision: null },
    machine: 'test machine',
  });
  const source = join(folder, 'rows.jsonl');
  const lines = ['AAA', 'BBB', 'CCC'].map((symbol) => JSON.stringify({ messages: turns(symbol) }));
  await mkdir(folder, { recursive: true });
  await writeFile(source, `${lines.join('\n')}\n`);
  const base = await writeBase(join(folder, 'base'));
  const sourceInput: LineageInput = { kind: 'file', address: source, fingerprint: await hashFile(source) };
  const baseInput: LineageInput = { kind: 'base', address: base.address, fingerprint: base.fingerprint };

  const plan = planFor(source);
  const planned = await store.create({ kind: 'plan', name, key: plan.hash, inputs: [] }, writes({ 'plan.json': plan }));

  const samples = lines.map((line, index) => sampleOf({ line, index, source }));
  const dataset: Dataset = { schema: 'dataset/1', rowsIn: 3, fates: { ...noFates, train: 3 }, steps: [], formats: {} };
  const built = await store.create(
    { kind: 'dataset', name, key: fingerprint(plan.values.data), inputs: [artefactInput(planned), sourceInput] },
    writes({ 'dataset.json': dataset, 'rows.jsonl': jsonLines(samples), 'ledger.jsonl': '{}\n' }),
  );
  const sharded = await store.create(
    {
      kind: 'shards',
      name,
      key: fingerprint('shards'),
      inputs: [artefactInput(planned), artefactInput(built), baseInput],
    },
    writes(shardFilesOf(samples.map(({ id }) => id))),
  );

  const begun = await store.beginRun({ name, key: fingerprint('run') });
  const saved: Checkpoint = { schema: 'checkpoint/1', step: 3, planHash: plan.hash, adapter: 'lora', files: {} };
  const run: Run = {
    schema: 'run/1',
    planHash: plan.hash,
    base: base.folder,
    baseFingerprint: base.fingerprint,
    shards: sharded.address,
    plan: planned.address,
  };
  const step = 'checkpoints/step-3';
  await writes({
    'run.json': run,
    'events.jsonl': jsonLines([1, 2, 3].map(stepEnd)),
    [`${step}/checkpoint.json`]: saved,
    [`${step}/adapter_model.safetensors`]: 'weights',
  })(begun.folder);
  const runInputs = [artefactInput(planned), artefactInput(sharded), baseInput];
  const trained = await store.sealRun(
    begun.address,
    { kind: 'run', name, key: fingerprint('run'), inputs: runInputs },
    { steps: 3 },
  );

  const report: Report = {
    schema: 'report/1',
    run: trained.address,
    checkpoint: step,
    tasks: [],
    models: {},
    lossCurve: [],
    seconds: 1,
  };
  await store.create(
    { kind: 'report', name, key: fingerprint('report'), inputs: [artefactInput(trained)] },
    writes({ 'report.json': report, 'report.html': '<p>report</p>' }),
  );

  const model: Model = {
    schema: 'model/1',
    base: base.folder,
    baseAddress: base.address,
    baseFingerprint: base.fingerprint,
    run: trained.address,
    checkpoint: step,
    planHash: plan.hash,
    formats: ['adapter'],
  };
  const exported = await store.create(
    { kind: 'model', name, key: fingerprint('model'), inputs: [artefactInput(trained), baseInput] },
    writes({ 'model.json': model, 'adapter/adapter_model.safetensors': 'weights' }),
  );

  const served: Deployment = {
    schema: 'deployment/1',
    engine: 'test 1',
    models: [
      {
        name,
        model: exported.address,
        modelFingerprint: exported.lineage.fingerprint,
        planHash: plan.hash,
        base: base.folder,
        adapter: join(exported.folder, 'adapter'),
      },
    ],
  };
  const deployment = await store.create(
    { kind: 'deployment', name, key: fingerprint('deployment'), inputs: [artefactInput(exported)] },
    writes({ 'deployment.json': served }),
  );

  let answers = 0;
  const capture = async (over: Partial<Capture> = {}): Promise<Capture> => {
    const request: Json = over.request ?? { messages: [{ role: 'user', content: question('AAA') }] };
    const taken: Capture = {
      schema: 'capture/1',
      id: `answer-${++answers}`,
      at: now.toISOString(),
      deployment: deployment.address,
      deploymentFingerprint: deployment.lineage.fingerprint,
      model: name,
      modelFingerprint: exported.lineage.fingerprint,
      planHash: plan.hash,
      requestDigest: fingerprint(request),
      request,
      promptTokens: 5,
      completionTokens: 5,
      answer: 'AAA closed at 12, up from 10.',
      finishReason: 'stop',
      seconds: 0.5,
      ...over,
    };
    await appendCapture({ root: store.root, capture: taken, at: now });
    return taken;
  };
  const first = await capture();
  return { store, answer: first.id, source, base: base.folder, deployment, capture };
}

function turns(symbol: string): Sample['messages'] {
  return [
    { role: 'user', content: question(symbol) },
    { role: 'assistant', content: `${symbol} closed at 12, up from 10.` },
  ];
}

function question(symbol: string): string {
  return `{"symbol":"${symbol}","close":12,"previousClose":10}`;
}

function planFor(source: string): Plan {
  const text = `name: ${name}\nbase: pypi:tiny\ndata: { sources: [{ from: ${JSON.stringify(source)} }] }\n`;
  const read = readRecipe({ text, file: 'recipe.yaml', flags: [] });
  if (!read.ok) throw issuesError('the recipe', read.issues);
  const resolved = resolvePlan({ ...read.value, facts: {}, resolvePath: (path) => path });
  if (!resolved.ok) throw issuesError('the plan', resolved.issues);
  return resolved.value;
}

function sampleOf(row: { readonly line: string; readonly index: number; readonly source: string }): Sample {
  const { messages } = JSON.parse(row.line) as Pick<Sample, 'messages'>;
  const provenance = { source: row.source, file: row.source, line: row.index + 1, sha256: fingerprintText(row.line) };
  return { id: fingerprint(messages), messages, split: 'train', provenance };
}

/** Shards of rows with these ids: a document of ten tokens for each, and a step for each document, the last row first. */
export const writeShards = (folder: string, ids: readonly string[]): Promise<unknown> =>
  writes(shardFilesOf(ids))(folder);

function shardFilesOf(ids: readonly string[]): Readonly<Record<string, unknown>> {
  const rows = ids.length;
  const each = Array.from({ length: rows }, (_, row) => row);
  const ends = Uint32Array.from(each, (row) => row + 1);
  const files = {
    'ids.u32': new Uint32Array(rows * 10),
    'weights.f32': new Float32Array(rows * 10),
    'documents.u32': Uint32Array.from(each.flatMap((row) => [row, row * 10, 10, row])),
    'schedule.u32': Uint32Array.from(each.toReversed()),
    'packs.u32': ends,
    'steps.u32': ends,
    'rows.u32': Uint32Array.from(ids.flatMap((id) => [...packShardRow({ id, cutTokens: 0 })])),
  };
  const named = (split: ShardSplit, bytes: (array: Uint32Array | Float32Array) => Uint8Array) =>
    Object.entries(files).map(([name, array]) => [`${split}.${name}`, bytes(array)]);
  return {
    'shards.json': shardsOf(rows),
    ...Object.fromEntries(named('train', ({ buffer }) => new Uint8Array(buffer))),
    ...Object.fromEntries(named('heldout', () => new Uint8Array())),
  };
}

function shardsOf(rows: number): Shards {
  const none = {
    rows: 0,
    documents: 0,
    tokens: 0,
    storedTokens: 0,
    learnedTokens: 0,
    longestTokens: 0,
    packs: 0,
    steps: 0,
  };
  const tokens = rows * 10;
  const train = { ...none, rows, documents: rows, tokens, storedTokens: tokens, learnedTokens: 15, longestTokens: 10 };
  return {
    schema: 'shards/4',
    layout: 'sequence',
    packTokens: 64,
    packing: 'best-fit',
    lengthTokens: 32,
    epochs: 1,
    streamed: false,
    day: '2026-11-28',
    tokenizer: fingerprint('tokenizer'),
    template: fingerprint('template'),
    recipe: fingerprint('recipe'),
    code: 'test',
    stopTokens: [2],
    splits: { train: { ...train, packs: rows, steps: rows }, heldout: none },
    lost: [],
    truncated: 0,
    split: 0,
  };
}

async function writeBase(folder: string): Promise<{ folder: string; address: string; fingerprint: string }> {
  await writes({ 'config.json': { model_type: 'llama' }, 'model.safetensors': 'base weights' })(folder);
  const files = await hashFolder(folder);
  const record: BaseModel = {
    schema: 'base-model/1',
    address: 'pypi:tiny',
    fingerprint: fingerprint(files),
    architecture: 'LlamaForCausalLM',
    parameters: 12,
    dtype: 'F32',
    licence: null,
    files,
  };
  await writes({ 'model.json': record })(folder);
  return { folder, address: record.address, fingerprint: record.fingerprint };
}

/** Writes files into a folder: text and bytes as they are, anything else as JSON. */
function writes(files: Readonly<Record<string, unknown>>): (folder: string) => Promise<Record<string, never>> {
  return async (folder) => {
    for (const [file, content] of Object.entries(files)) {
      await mkdir(join(folder, file, '..'), { recursive: true });
      await writeFile(
        join(folder, file),
        typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content),
      );
    }
    return {};
  };
}

/** What the run notes of a step of ten tokens. */
function stepEnd(step: number): RunEvent {
  const course = { loss: 3 - step / 2, learningRate: 0.1, gradientNorm: 1, tokens: 10, learnedTokens: 5, rows: 1 };
  return {
    type: 'step-end',
    sequence: step,
    at: now.toISOString(),
    step,
    ...course,
    seconds: 1,
    memoryGiB: 1,
    metrics: {},
  };
}

function jsonLines(values: readonly unknown[]): string {
  return values.map((value) => `${JSON.stringify(value)}\n`).join('');
}
