import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { MartletError } from './core/error.ts';
import { fingerprint } from './core/fingerprint.ts';
import { buildDataset, readSamples, sourceInputs } from './data/index.ts';
import { evaluateRun, promptMessages, reportPage } from './eval/index.ts';
import { exportModel } from './export/index.ts';
import { methodNamed } from './methods/index.ts';
import { type Encoder, openEncoder } from './models/encoder.ts';
import { dataset as datasetDocument } from './schema/dataset.ts';
import type { RunEvent } from './schema/event.ts';
import type { ArtefactKind, LineageInput } from './schema/lineage.ts';
import type { Plan } from './schema/plan.ts';
import { shards as shardsDocument } from './schema/shards.ts';
import { buildShards } from './shard/index.ts';
import type { TrainEngine } from './spec/train-engine.ts';
import { artefactInput } from './store/open-store.ts';
import { openShards, type ShardReader } from './store/shard-reader.ts';
import type { Artefact, Store } from './store/store.ts';
import { lossCurve, readEvents, train } from './train/index.ts';

// What the surfaces use of the stages beside walking them.
export { countRows, readSamples, readSources } from './data/index.ts';
export { terminalReport } from './eval/index.ts';
export * from './review/index.ts';
export * from './serve/index.ts';

/** What every stage is given. */
export interface StageDeps {
  readonly store: Store;
  readonly engine: TrainEngine;
  /** `martletHome(env)` */
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: () => Date;
  /** One line at a time, for people. */
  readonly log: (line: string) => void;
  readonly onEvent: (event: RunEvent) => void;
  readonly onProgress: (progress: { readonly what: string; readonly done: number; readonly of: number }) => void;
  readonly signal: AbortSignal;
}

/** The walk so far: what it started from, and the artefact of each stage that was reached. */
export interface Walk {
  readonly plan: Plan;
  readonly base: { readonly folder: string; readonly address: string; readonly fingerprint: string };
  readonly planned?: Artefact;
  readonly dataset?: Artefact;
  readonly shards?: Artefact;
  readonly run?: Artefact;
  readonly report?: Artefact;
  readonly model?: Artefact;
}

export type StageName = 'plan' | 'data' | 'shard' | 'train' | 'eval' | 'export';

interface Stage {
  readonly name: StageName;
  /** Where its artefact goes in the walk. */
  readonly gives: Exclude<keyof Walk, 'plan' | 'base'>;
  readonly run: (deps: StageDeps, walk: Walk) => Promise<Artefact>;
}

/** THE PATH, in order. Each stage does nothing when the store already holds what it would make. */
export const stages: readonly Stage[] = [
  { name: 'plan', gives: 'planned', run: planStage },
  { name: 'data', gives: 'dataset', run: dataStage },
  { name: 'shard', gives: 'shards', run: shardStage },
  { name: 'train', gives: 'run', run: trainStage },
  { name: 'eval', gives: 'report', run: evalStage },
  { name: 'export', gives: 'model', run: exportStage },
];

/** Walks the path up to a stage; `skip` leaves out stages nothing later needs. */
export async function walkTo(
  deps: StageDeps,
  start: Walk,
  last: StageName,
  skip: readonly StageName[] = [],
): Promise<Walk> {
  let walk = start;
  for (const stage of stages) {
    if (skip.includes(stage.name)) continue;
    deps.signal.throwIfAborted();
    walk = { ...walk, [stage.gives]: await stage.run(deps, walk) };
    if (stage.name === last) break;
  }
  return walk;
}

async function planStage(deps: StageDeps, { plan, base }: Walk): Promise<Artefact> {
  const inputs = [baseInput(base)];
  return make(
    deps,
    { kind: 'plan', name: plan.values.name, of: { hash: plan.hash, execution: plan.execution }, inputs },
    async (folder) => {
      await writeJson(join(folder, 'plan.json'), plan);
      return { hash: plan.hash };
    },
  );
}

async function dataStage(deps: StageDeps, { plan }: Walk): Promise<Artefact> {
  const { data: values, name } = plan.values;
  const resolveFeedback = (address: string): string =>
    join(deps.store.folder('feedback', address.replace(/^feedback\//, '')), 'rows.jsonl');
  const source = { values, resolveFeedback, signal: deps.signal };
  const inputs = await sourceInputs(source);
  const today = deps.clock().toISOString().slice(0, 10);
  const known = await deps.store.latest('dataset', name);
  // A row under embargo makes the same sources another dataset from the day it ends.
  const changesOn = known?.lineage.facts.changesOn;
  const since = typeof changesOn === 'string' && changesOn <= today ? changesOn : null;
  return make(deps, { kind: 'dataset', name, of: { values, since }, inputs }, async (folder) => {
    const built = await buildDataset({ ...source, today, folder });
    return { rowsIn: built.dataset.rowsIn, fates: { ...built.dataset.fates }, changesOn: built.changesOn };
  });
}

async function shardStage(deps: StageDeps, walk: Walk): Promise<Artefact> {
  const { plan, base } = walk;
  const dataset = need(walk.dataset, 'data');
  const { render, train: training, data, method, name } = plan.values;
  const { epochs, maxSteps, rowsPerStep, seed } = training;
  const encoder = await encoderOf(deps, walk);
  const { packTokens } = plan.execution;
  const { tokenizer, templateFingerprint, stopTokens } = encoder;
  const layout = methodNamed(method.name).layout;
  const of = {
    render,
    budget: data.budget,
    epochs,
    maxSteps,
    rowsPerStep,
    seed,
    packTokens,
    layout,
    stopTokens,
    template: templateFingerprint,
    tokenizer: tokenizer.fingerprint,
  };
  return make(deps, { kind: 'shards', name, of, inputs: [artefactInput(dataset), baseInput(base)] }, async (folder) => {
    const built = await buildShards({
      values: plan.values,
      packTokens,
      dataset: datasetDocument.parse(await readJson(join(dataset.folder, 'dataset.json'))),
      samples: () => readSamples(dataset.folder, { signal: deps.signal }),
      encode: (sample) => encoder.sample(sample),
      folder,
      tokenizerFingerprint: tokenizer.fingerprint,
      templateFingerprint,
      stopTokens,
      layout,
      signal: deps.signal,
    });
    return { splits: built.splits, lost: built.lost.length, truncated: built.truncated };
  });
}

async function trainStage(deps: StageDeps, walk: Walk): Promise<Artefact> {
  const { plan, base } = walk;
  const [planned, shards] = [need(walk.planned, 'plan'), need(walk.shards, 'shard')];
  const { name } = plan.values;
  const inputs = [artefactInput(planned), artefactInput(shards), baseInput(base)];
  const key = fingerprint({ hash: plan.hash, inputs: inputs.map(({ fingerprint: each }) => each) });
  const done = await deps.store.find({ kind: 'run', name, key });
  if (done) return done;
  const begun = await deps.store.beginRun({ name, key });
  const document = {
    schema: 'run/1',
    planHash: plan.hash,
    base: base.folder,
    baseFingerprint: base.fingerprint,
    shards: shards.address,
    plan: planned.address,
  };
  await writeJson(join(begun.folder, 'run.json'), document);
  const { splits } = shardsDocument.parse(await readJson(join(shards.folder, 'shards.json')));
  const outcome = await train({
    plan,
    planFile: join(planned.folder, 'plan.json'),
    baseFolder: base.folder,
    shardsFolder: shards.folder,
    steps: splits.train.steps,
    hasHeldOut: splits.heldout.documents > 0,
    runFolder: begun.folder,
    engine: deps.engine,
    threads: threadsOf(plan),
    clock: deps.clock,
    signal: deps.signal,
    onEvent: deps.onEvent,
  });
  if (outcome.reason === 'stopped')
    throw new MartletError(
      'stopped',
      `run ${begun.address} stopped at step ${outcome.step} of ${splits.train.steps}; its checkpoint is whole`,
      {
        hint: 'Give the same command again: it goes on from there.',
        retryable: true,
      },
    );
  return deps.store.sealRun(
    begun.address,
    { kind: 'run', name, key, inputs },
    { step: outcome.step, checkpoint: outcome.checkpoint?.path ?? null },
  );
}

async function evalStage(deps: StageDeps, walk: Walk): Promise<Artefact> {
  const { plan, base } = walk;
  const [run, shards, dataset] = [need(walk.run, 'train'), need(walk.shards, 'shard'), need(walk.dataset, 'data')];
  const { eval: values, name } = plan.values;
  return make(
    deps,
    { kind: 'report', name, of: values, inputs: [artefactInput(run), artefactInput(shards), artefactInput(dataset)] },
    async (folder) => {
      await using session = await deps.engine.start({ threads: threadsOf(plan), signal: deps.signal });
      const checkpoint = checkpointOf(run);
      const checkpointFolder = join(run.folder, checkpoint);
      await session.load({
        planFile: planFileOf(walk),
        baseFolder: base.folder,
        shardsFolder: shards.folder,
        checkpointFolder,
        purpose: 'inference',
      });
      const encoder = await encoderOf(deps, walk);
      using reader = await openShards(shards.folder);
      const { report, samples } = await evaluateRun({
        session,
        run: run.address,
        checkpoint,
        samples: await Array.fromAsync(readSamples(dataset.folder, { split: 'heldout' })),
        encodePrompt: (sample) => encoder.prompt({ ...sample, messages: promptMessages(sample) }),
        decode: (ids) => encoder.answer(ids),
        values,
        stopTokens: encoder.stopTokens,
        lossCurve: lossCurve(await readEvents(join(run.folder, 'events.jsonl'))),
        heldOutTokens: heldOut(reader).map(({ weights }) => weights.filter((weight) => weight > 0).length),
        seed: plan.values.train.seed,
        signal: deps.signal,
        onProgress: ({ model, done, rows }) => deps.onProgress({ what: `answers of ${model}`, done, of: rows }),
      });
      await writeJson(join(folder, 'report.json'), report);
      await writeFile(join(folder, 'samples.jsonl'), samples.map((sample) => `${JSON.stringify(sample)}\n`).join(''));
      await writeFile(join(folder, 'report.html'), reportPage({ report, samples }));
      return { checkpoint };
    },
  );
}

async function exportStage(deps: StageDeps, walk: Walk): Promise<Artefact> {
  const { plan, base } = walk;
  const [run, shards] = [need(walk.run, 'train'), need(walk.shards, 'shard')];
  const { values } = plan;
  const inputs = [artefactInput(run), artefactInput(shards), baseInput(base)];
  return make(deps, { kind: 'model', name: values.name, of: values.export, inputs }, async (folder) => {
    using reader = await openShards(shards.folder);
    const checkpoint = checkpointOf(run);
    const certificates = await exportModel({
      folder,
      values,
      planFile: planFileOf(walk),
      baseFolder: base.folder,
      checkpointFolder: join(run.folder, checkpoint),
      model: {
        base: base.folder,
        baseAddress: base.address,
        baseFingerprint: base.fingerprint,
        run: run.address,
        checkpoint,
        planHash: plan.hash,
      },
      rows: heldOut(reader)
        .slice(0, values.export.certifyRows)
        .map(({ ids, weights, index }) => ({
          id: reader.rowOf('heldout', index).id,
          ids: Array.from(ids),
          prompt: Array.from(
            ids.subarray(
              0,
              Math.max(
                1,
                weights.findIndex((weight) => weight > 0),
              ),
            ),
          ),
        })),
      stopTokens: reader.manifest.stopTokens,
      engine: deps.engine,
      threads: threadsOf(plan),
      home: deps.home,
      env: deps.env,
      log: deps.log,
      signal: deps.signal,
    });
    return {
      checkpoint,
      certificates: certificates.map(({ format, maxLogitDifference }) => ({ format, maxLogitDifference })),
    };
  });
}

/** What the store already holds under the same key, or a new version of it. */
async function make(
  deps: StageDeps,
  what: {
    readonly kind: ArtefactKind;
    readonly name: string;
    readonly of: unknown;
    readonly inputs: readonly LineageInput[];
  },
  write: Parameters<Store['create']>[1],
): Promise<Artefact> {
  const { kind, name, of, inputs } = what;
  const key = fingerprint({ kind, of, inputs: inputs.map((input) => input.fingerprint) });
  const known = await deps.store.find({ kind, name, key });
  if (known) deps.log(`${kind} ${known.address} is up to date`);
  return known ?? deps.store.create({ kind, name, key, inputs }, write);
}

function need(artefact: Artefact | undefined, stage: StageName): Artefact {
  if (!artefact) throw new MartletError('bug', `the ${stage} stage has not run`);
  return artefact;
}

const baseInput = (base: Walk['base']): LineageInput => ({
  kind: 'base',
  address: base.address,
  fingerprint: base.fingerprint,
});
const planFileOf = (walk: Walk): string => join(need(walk.planned, 'plan').folder, 'plan.json');
const checkpointOf = (run: Artefact): string => String(run.lineage.facts.checkpoint);
const threadsOf = ({ execution }: Plan): number =>
  execution.threads === 'unknown' ? availableParallelism() : execution.threads;
const encoderOf = (deps: StageDeps, { plan, base }: Walk): Promise<Encoder> =>
  openEncoder({ folder: base.folder, render: plan.values.render, now: deps.clock() });
const heldOut = (reader: ShardReader): ReturnType<ShardReader['document']>[] =>
  Array.from({ length: reader.manifest.splits.heldout.documents }, (_, index) => reader.document('heldout', index));
const readJson = async (file: string): Promise<unknown> => JSON.parse(await readFile(file, 'utf8'));
const writeJson = (file: string, document: unknown): Promise<void> =>
  writeFile(file, `${JSON.stringify(document, null, 2)}\n`);
