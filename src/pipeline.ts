/**
 * The product, read top to bottom: `stages` is the path from a recipe to a model that can be served. Each stage is a
 * folder of its own that knows no other; what one makes, the next finds in the store. After the path come serving and
 * review, whose captures and judgements are the rows of the next recipe.
 */
import { join } from 'node:path';
import { MartletError } from './core/error.ts';
import type { Forecast } from './core/forecast.ts';
import { stoppedError, tellsOfStop } from './core/stopped.ts';
import { dataStage, datasetRows, sourceAccess } from './data/index.ts';
import { evalStage } from './eval/index.ts';
import { exportStage } from './export/index.ts';
import type { Plan } from './schema/plan.ts';
import { servedPrompts } from './serve/index.ts';
import { rowDocuments, shardStage, streamShards } from './shard/index.ts';
import type { DatasetRows } from './store/dataset/dataset-rows.ts';
import { type Base, baseInput, make, type StageDeps, writeJson } from './store/stage.ts';
import type { Artefact } from './store/store.ts';
import { trainStage } from './train/index.ts';

// What the surfaces use of the stages beside walking them.
export {
  countRows,
  type DatasetDiff,
  diffDatasets,
  inspectSources,
  isSource,
  ledgerPage,
  ledgerRows,
  madeRows,
  parsePlace,
  placeOf,
  type RowPlace,
  type RowReading,
  type RowStory,
  readDataset,
  readQuestions,
  readSources,
  type SourceInspection,
  sourcesFingerprint,
  stepLabels,
  storiesOf,
} from './data/index.ts';
export { terminalReport } from './eval/index.ts';
export * from './review/index.ts';
export * from './serve/index.ts';
export {
  countTokens,
  type Document,
  documentsOf,
  type RowDocuments,
  recipePart,
  refuseLosses,
  rowDocuments,
} from './shard/index.ts';
export { readSamples } from './store/dataset/read-samples.ts';
export type { StageDeps } from './store/stage.ts';

/**
 * THE PATH, in order. A stage is given the plan, the base model and the artefacts it `reads`, and returns the one it
 * `gives`; it does nothing when the store already holds what it would make.
 */
export const stages: readonly Stage[] = [
  /** Recipe and facts, resolved before the walk begins: plans/<name>@<n>/plan.json */
  stage({ name: 'plan', reads: ['base'], gives: 'planned', run: planStage, stopped: 'nothing of it was made' }),

  /** Source files: datasets/<name>@<n>/ with the rows that are kept and the fate of every row */
  stage({
    name: 'data',
    reads: [],
    gives: 'dataset',
    run: dataStage,
    stopped: 'the pieces of rows that are done are kept',
  }),

  /** Rows, rendered by the chat template: shards/<name>@<n>/ with token ids, weights, and the rows of each step */
  stage({
    name: 'shard',
    reads: ['base', 'dataset'],
    gives: 'shards',
    run: (deps, walk) => shardStage(deps, { ...walk, rows: rowsOf(deps, walk) }),
    stopped: 'the rows that are encoded are kept',
  }),

  /** Token ids: runs/<name>@<n>/ with events and checkpoints, written while it goes; streamed shards are made meanwhile */
  stage({
    name: 'train',
    reads: ['base', 'planned', 'dataset', 'shards'],
    gives: 'run',
    run: (deps, walk) => {
      const rows = rowsOf(deps, walk);
      const stream = (folder: string) => streamShards(deps, { ...walk, rows, folder });
      return trainStage(deps, { ...walk, rows, rowDocuments, servedPrompts, stream });
    },
    stopped: 'its checkpoints are kept',
  }),

  /** Held-out rows, answered by base and tuned: reports/<name>@<n>/ as data, as samples and as a page */
  stage({
    name: 'eval',
    reads: ['base', 'planned', 'dataset', 'shards', 'run'],
    gives: 'report',
    run: (deps, walk) => evalStage(deps, { ...walk, rows: rowsOf(deps, walk) }),
    stopped: 'its answers so far are kept',
  }),

  /** The last checkpoint: models/<name>@<n>/ in each format, with a certificate that it answers as before */
  stage({
    name: 'export',
    reads: ['base', 'planned', 'shards', 'run'],
    gives: 'model',
    run: exportStage,
    stopped: 'nothing of it is kept',
  }),
];

export type StageName = 'plan' | 'data' | 'shard' | 'train' | 'eval' | 'export';

/** What a walk starts from. */
export interface Start {
  readonly plan: Plan;
  /** What data and shards are held against, where it was counted. */
  readonly forecast?: Forecast | undefined;
}

/** What stages make, by the name it has in a walk. */
export interface Made {
  readonly planned: Artefact;
  readonly dataset: Artefact;
  readonly shards: Artefact;
  readonly run: Artefact;
  readonly report: Artefact;
  readonly model: Artefact;
}

/** What stages read: what others made, and the base model, without which rows can be built all the same. */
export interface Read extends Made {
  readonly base: Base;
}

/** The walk so far: what it started from, and what the stages that were reached made. */
export type Walk = Start & Partial<Read>;

/** The path up to a stage; `skip` leaves out stages nothing later needs. */
export function stagesTo(last: StageName, skip: readonly StageName[] = []): readonly Stage[] {
  const end = stages.findIndex(({ name }) => name === last);
  return stages.slice(0, end + 1).filter(({ name }) => !skip.includes(name));
}

/** Walks it. @throws MartletError `stopped` once `deps.signal` is aborted, saying what of the stage is kept. */
export async function walkTo(
  deps: StageDeps,
  start: Walk,
  last: StageName,
  skip?: readonly StageName[],
): Promise<Walk> {
  let walk = start;
  for (const { name, gives, run, stopped } of stagesTo(last, skip)) {
    try {
      deps.signal.throwIfAborted();
      walk = { ...walk, [gives]: await run(deps, walk) };
    } catch (error) {
      // A stage that knows better says itself what is kept.
      if (!tellsOfStop(error, deps.signal) || (MartletError.is(error) && error.code === 'stopped')) throw error;
      throw stoppedError(`stopped during ${name}; ${stopped}`, { next: 'Give the same command again.', cause: error });
    }
  }
  return walk;
}

interface Stage {
  readonly name: StageName;
  readonly reads: readonly (keyof Read)[];
  readonly gives: keyof Made;
  readonly run: (deps: StageDeps, walk: Walk) => Promise<Artefact>;
  /** What is kept of it when it is stopped on the way, for people. */
  readonly stopped: string;
}

/** A row of the path, whose function may count on what the row says it reads. */
function stage<Name extends keyof Read>(row: {
  readonly name: StageName;
  readonly reads: readonly Name[];
  readonly gives: keyof Made;
  readonly run: (deps: StageDeps, inputs: Start & Pick<Read, Name>) => Promise<Artefact>;
  readonly stopped: string;
}): Stage {
  return {
    ...row,
    run: (deps, walk) => {
      if (!holds(walk, row.reads))
        throw new MartletError('bug', `stage ${row.name} reads ${row.reads.join(', ')}: one of them is not made yet`);
      return row.run(deps, walk);
    },
  };
}

/** The rows of a dataset, which may not be kept: only the data stage knows how they are made again. */
function rowsOf(deps: StageDeps, { plan, dataset }: Start & Pick<Made, 'dataset'>): DatasetRows {
  return datasetRows(dataset.folder, sourceAccess(deps, plan));
}

function holds<Name extends keyof Read>(walk: Walk, names: readonly Name[]): walk is Walk & Pick<Read, Name> {
  return names.every((name) => walk[name] !== undefined);
}

/** The plan is pure and known by now; here it becomes an artefact, so that what is made of it can be traced to it. */
async function planStage(deps: StageDeps, { plan, base }: Start & Pick<Read, 'base'>): Promise<Artefact> {
  const { values, loss, execution } = plan;
  const of = { values, loss, execution };
  return make(deps, { kind: 'plan', name: values.name, of, inputs: [baseInput(base)] }, async (folder) => {
    await writeJson(join(folder, 'plan.json'), plan);
    return { hash: plan.hash };
  });
}
