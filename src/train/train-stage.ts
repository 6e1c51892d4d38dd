import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { fingerprint } from '../core/fingerprint.ts';
import { stoppedError } from '../core/stopped.ts';
import { type Encoder, openEncoder } from '../models/encoder.ts';
import { type DocumentsOfRow, drawRows, requireGate, runGate } from '../models/gate.ts';
import type { Plan } from '../schema/plan.ts';
import { shards as shardsDocument } from '../schema/shards.ts';
import type { PromptEngine } from '../spec/prompt-engine.ts';
import type { DatasetRows } from '../store/dataset/dataset-rows.ts';
import { artefactInput } from '../store/open-store.ts';
import { readDocument } from '../store/read-document.ts';
import { type Base, baseInput, type StageDeps, writeJson } from '../store/stage.ts';
import type { Artefact, Store } from '../store/store.ts';
import { newestCheckpoint } from './checkpoints.ts';
import { type StepWindows, train } from './loop.ts';

export interface TrainInputs {
  readonly plan: Plan;
  readonly base: Base;
  readonly planned: Artefact;
  /** Of the dataset. */
  readonly rows: DatasetRows;
  readonly shards: Artefact;
  /** Opens the windows of streamed shards in a folder; undefined where all tokens are kept. */
  readonly stream: (folder: string) => Promise<StepWindows | undefined>;
  /** What the shards hold of a row, which is what is checked. */
  readonly rowDocuments: (encoder: Encoder, values: Plan['values']) => DocumentsOfRow;
  /** The prompts of serving, which the rows are held against before the first step. */
  readonly servedPrompts: (encoder: Encoder) => PromptEngine;
}

/** Inside a run while it trains on streamed shards. */
const windowsFolder = '.windows';

/**
 * Reads plan, shards and base; writes events and checkpoints while it goes: `runs/<name>@<n>/`. A run that was stopped or
 * killed is taken up where its last checkpoint stands. Where and how fast it runs (threads, memory, how often it saves) does
 * not make it another run, so that one that ran out of memory goes on when it is given more.
 * @throws MartletError `nothing-to-resume` where `deps.resume` asks for a run that is not there.
 */
export async function trainStage(
  deps: StageDeps,
  { plan, base, planned, rows, shards, stream, rowDocuments, servedPrompts }: TrainInputs,
): Promise<Artefact> {
  const { name } = plan.values;
  const inputs = [artefactInput(planned), artefactInput(shards), baseInput(base)];
  const key = fingerprint({ hash: plan.hash, shards: shards.lineage.fingerprint, base: base.fingerprint });
  const done = await deps.store.find({ kind: 'run', name, key });
  if (done) {
    deps.onMade(done, false);
    return done;
  }
  if (deps.resume)
    await requireCheckpoint({ store: deps.store, plan, key, made: `${shards.address} on ${base.address}` });
  await checkTokens(deps, { plan, base, rows, rowDocuments, servedPrompts });
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
  const { splits } = await readDocument(join(shards.folder, 'shards.json'), shardsDocument);
  await using windows = await stream(join(begun.folder, windowsFolder));
  const outcome = await train({
    plan,
    planFile: join(planned.folder, 'plan.json'),
    baseFolder: base.folder,
    shardsFolder: shards.folder,
    windows,
    steps: splits.train.steps,
    hasHeldOut: splits.heldout.documents > 0,
    runFolder: begun.folder,
    engine: deps.engine,
    clock: deps.clock,
    signal: deps.signal,
    onEvent: deps.onEvent,
  });
  if (outcome.reason === 'stopped')
    throw stoppedError(
      `run ${begun.address} stopped at step ${outcome.step} of ${splits.train.steps}; its checkpoint is whole`,
      { next: 'Give the same command again: it goes on from there.' },
    );
  await windows?.[Symbol.asyncDispose]();
  const run = await deps.store.sealRun(
    begun.address,
    { kind: 'run', name, key, inputs },
    {
      step: outcome.step,
      learnedTokens: outcome.learnedTokens,
      checkpoint: outcome.checkpoint?.path ?? null,
    },
  );
  deps.onMade(run, true);
  return run;
}

/** The gate before the first step, on rows drawn from the dataset. */
async function checkTokens(
  deps: StageDeps,
  inputs: Pick<TrainInputs, 'plan' | 'base' | 'rows' | 'rowDocuments' | 'servedPrompts'>,
) {
  const { plan, base, rows, rowDocuments, servedPrompts } = inputs;
  const { checkRows } = plan.execution;
  if (checkRows === 0) return;
  const { render, train: values } = plan.values;
  const encoder = await openEncoder({ folder: base.folder, render, now: deps.clock() });
  const trained = rows.samples({ split: 'train', signal: deps.signal });
  const samples = await drawRows(trained, checkRows, values.seed);
  const engines = [servedPrompts(encoder)];
  const documents = rowDocuments(encoder, plan.values);
  const report = await runGate({ encoder, documents, samples, engines, trainedOnly: true, signal: deps.signal });
  requireGate(report);
  const warnings = report.failures.map(({ code }) => code);
  for (const code of new Set(warnings))
    deps.log(
      `warning ${warnings.filter((other) => other === code).length} times ${code} in ${report.rows} rows: martlet verify render tells where`,
    );
}

async function requireCheckpoint(request: {
  readonly store: Store;
  readonly plan: Plan;
  readonly key: string;
  /** What the run is made from, for people. */
  readonly made: string;
}): Promise<void> {
  const { store, plan, key, made } = request;
  const { name } = plan.values;
  const wanted = `plan ${plan.hash.slice(0, 12)}, shards ${made}`;
  const run = await store.unfinishedRun({ name, key });
  if (run && (await newestCheckpoint(run.folder, plan.hash))) return;
  throw new MartletError(
    'nothing-to-resume',
    run
      ? `run ${run.address} (${wanted}) has no whole checkpoint to go on from`
      : `there is no unfinished run of ${name} with ${wanted}`,
    {
      hint: run
        ? 'Leave out --resume: it starts at its first step.'
        : 'Leave out --resume to begin a new run. A run is another one when the recipe, its rows or the base model changed.',
    },
  );
}
