import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { fingerprint } from '../core/fingerprint.ts';
import type { RunEvent } from '../schema/event.ts';
import type { ArtefactKind, LineageInput } from '../schema/lineage.ts';
import type { Plan } from '../schema/plan.ts';
import type { TrainEngine } from '../spec/train-engine.ts';
import type { FetchDataset } from './rows/open-parts.ts';
import type { Artefact, Store } from './store.ts';

/** What every stage is given beside the artefacts it reads. */
export interface StageDeps {
  readonly store: Store;
  readonly engine: TrainEngine;
  /** `martletHome(env)` */
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Brings data sets of hubs to this machine. */
  readonly fetchDataset: FetchDataset;
  readonly clock: () => Date;
  /** One line at a time, for people. */
  readonly log: (line: string) => void;
  /** Told of each artefact a stage returns: made now, or found as it was made before. */
  readonly onMade: (artefact: Artefact, isNew: boolean) => void;
  readonly onEvent: (event: RunEvent) => void;
  /** Told, of a dataset that is built, how much of the last build went into it: of reading, then of each step. */
  readonly onReuse?: (steps: readonly StepReuse[]) => void;
  readonly onProgress: (progress: { readonly what: string; readonly done: number; readonly of: number }) => void;
  readonly signal: AbortSignal;
  /** Train only what goes on from a checkpoint: never begin a run. */
  readonly resume?: boolean;
}

/** Pieces of the rows that a step was done to, and those for which an earlier build had done it. */
export interface StepReuse {
  /** `read` for reading itself. */
  readonly step: string;
  readonly pieces: number;
  readonly taken: number;
}

/** A base model on this machine. */
export interface Base {
  readonly folder: string;
  readonly address: string;
  readonly fingerprint: string;
}

export interface MakeRequest {
  readonly kind: ArtefactKind;
  readonly name: string;
  /** What the stage makes of its inputs hangs on this, and on nothing else. */
  readonly of: unknown;
  readonly inputs: readonly LineageInput[];
  /** Read every byte of what is there before it is given out again; one that was altered is kept as it is, and made anew. */
  readonly reread?: boolean;
}

/** What the store already holds of the same inputs and values, or a new version of it. */
export async function make(
  { store, onMade, log }: Pick<StageDeps, 'store' | 'onMade' | 'log'>,
  { kind, name, of, inputs, reread = false }: MakeRequest,
  write: Parameters<Store['create']>[1],
): Promise<Artefact> {
  const key = fingerprint({ kind, of, inputs: inputs.map((input) => input.fingerprint) });
  const found = await store.find({ kind, name, key });
  const problems = reread && found ? await store.verify(found) : [];
  if (found && problems.length > 0)
    log(`warning ${kind} ${found.address} is not as it was made (${problems.join('; ')}): it is made anew`);
  const known = problems.length > 0 ? undefined : found;
  const artefact = known ?? (await store.create({ kind, name, key, inputs }, write));
  onMade(artefact, known === undefined);
  return artefact;
}

export function baseInput({ address, fingerprint }: Base): LineageInput {
  return { kind: 'base', address, fingerprint };
}

/** The checkpoint a sealed run ended with, relative to its folder. */
export function lastCheckpoint(run: Artefact): string {
  return String(run.lineage.facts.checkpoint);
}

export function threadsOf({ execution }: Plan): number {
  return execution.threads === 'unknown' ? availableParallelism() : execution.threads;
}

export async function readJson(file: string): Promise<unknown> {
  return JSON.parse(await readFile(file, 'utf8'));
}

export async function writeJson(file: string, document: unknown): Promise<void> {
  await writeFile(file, `${JSON.stringify(document, null, 2)}\n`);
}
