import { join } from 'node:path';
import { MartletError } from '../../core/error.ts';
import { run as runDocument } from '../../schema/checkpoint.ts';
import type { RunEvent } from '../../schema/event.ts';
import { artefactSubject } from '../open-store.ts';
import { readDocument } from '../read-document.ts';
import { readEvents } from '../runs/run-events.ts';
import { openShards } from '../shards/shard-reader.ts';
import { rowsOfStep } from '../shards/shard-steps.ts';
import type { Artefact, Store } from '../store.ts';
import { type CheckRowsOptions, checkDatasetRows, type TracedRow } from './rows.ts';

/** A row of a step, and where in the step it was computed. */
export interface StepRow extends Omit<TracedRow, 'steps'> {
  /** Counted from 1. */
  readonly pack: number;
  /** Tokens of each of its documents. */
  readonly documents: readonly number[];
  /** Tokens cut off it to fit. */
  readonly cutTokens: number;
}

export interface TracedStep {
  readonly run: string;
  readonly shards: string;
  readonly dataset: string;
  /** Counted from 1, as events count. */
  readonly step: number;
  readonly steps: number;
  /** What the run noted of it, the last time it came there; null when it never did. */
  readonly event: Extract<RunEvent, { type: 'step-end' }> | null;
  readonly rows: readonly StepRow[];
  /** Everything that is not as it was committed. */
  readonly problems: readonly string[];
}

export interface TraceStepRequest extends Pick<CheckRowsOptions, 'madeRows'> {
  readonly run: string;
  /** Counted from 1. */
  readonly step: number;
}

/**
 * The rows that one step of a run was computed from, each looked up in its source, and what the run noted of the step.
 * @throws MartletError `artefact-missing`, `step-missing`
 */
export async function traceStep(store: Store, { run: address, step, madeRows }: TraceStepRequest): Promise<TracedStep> {
  const run = await store.open('run', address);
  const { shards: shardsAddress } = await readDocument(join(run.folder, 'run.json'), runDocument);
  const shards = await store.open('shards', shardsAddress);
  const dataset = await store.open('dataset', addressOf(shards, 'dataset'));
  using reader = await openShards(shards.folder);
  const steps = reader.stepCount('train');
  if (!Number.isInteger(step) || step < 1 || step > steps)
    throw new MartletError('step-missing', `run ${address} has no step ${step}`, {
      hint: `It has steps 1 to ${steps}.`,
    });
  const problems: string[] = [];
  for (const artefact of [run, shards, dataset])
    for (const problem of await store.verify(artefact))
      problems.push(`${artefactSubject(artefact.kind, artefact.address)}/${problem}`);
  const inStep = rowsOfStep(reader, step - 1);
  const ids = new Set(inStep.map(({ documentIndex }) => reader.rowOf('train', documentIndex).id));
  const { streamed } = reader.manifest;
  const rowNumbers = inStep
    .map(({ documentIndex }) => reader.outline('train', documentIndex).row)
    .sort((a, b) => a - b);
  const places = streamed ? rowNumbers.map((row) => reader.lineOf(row)) : undefined;
  const checked = await checkDatasetRows(dataset.folder, { madeRows, ids, places });
  const { rows: known, problems: rowProblems } = checked;
  problems.push(...rowProblems);
  const rows = inStep.flatMap(({ documentIndex, pack, documents }): StepRow[] => {
    const { id, cutTokens } = reader.rowOf('train', documentIndex);
    const row = known.get(id);
    if (!row) {
      problems.push(`the sample ${id} is no row of datasets/${dataset.address}`);
      return [];
    }
    return [{ id, ...row, pack, documents, cutTokens }];
  });
  const events = await readEvents(join(run.folder, 'events.jsonl'));
  const event = events.findLast((each) => each.type === 'step-end' && each.step === step);
  const noted = event?.type === 'step-end' ? event : null;
  const tokens = inStep.flatMap(({ documents }) => documents).reduce((sum, count) => sum + count, 0);
  if (noted && (noted.rows !== inStep.length || noted.tokens !== tokens))
    problems.push(
      `the run noted ${noted.rows} rows and ${noted.tokens} tokens, where the shards have ${inStep.length} and ${tokens}`,
    );
  return {
    run: run.address,
    shards: shards.address,
    dataset: dataset.address,
    step,
    steps,
    event: noted,
    rows,
    problems,
  };
}

function addressOf(artefact: Artefact, kind: 'dataset'): string {
  const input = artefact.lineage.inputs.find((each) => each.kind === kind);
  if (input) return input.address;
  throw new MartletError('artefact-missing', `the lineage of ${artefact.kind} ${artefact.address} names no ${kind}`);
}
