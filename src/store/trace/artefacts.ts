import { join, resolve } from 'node:path';
import { MartletError } from '../../core/error.ts';
import type { Capture } from '../../schema/deployment.ts';
import type { ArtefactKind, LineageInput } from '../../schema/lineage.ts';
import { artefactSubject } from '../open-store.ts';
import type { Artefact } from '../store.ts';
import { checkDocuments } from './documents.ts';
import { type CheckedRows, checkDatasetRows } from './rows.ts';
import { visitBase, visitFile, visitRows } from './sources.ts';
import { checkTrainedRows } from './trained-rows.ts';
import { addHop, member, nameOf, type OpenHop, type Walk } from './walk.ts';

export interface Visit {
  readonly kind: ArtefactKind;
  readonly address: string;
  /** The fingerprint it had when it was used; null when that is not known any more. */
  readonly expected: string | null;
  readonly parent: number | null;
  /** The answer whose deployment this is. */
  readonly capture?: Capture;
  /** The folder of the shards that were made of this dataset. */
  readonly shardsFolder?: string;
  /** Steps that the model was computed in, which this was made for. */
  readonly steps?: number;
  /** Whether what it was made from is left out: for what came after the answer. */
  readonly alone?: boolean;
}

/** An artefact, and everything it was made from. */
export async function visitArtefact(walk: Walk, visit: Visit): Promise<void> {
  const { kind, address, expected, parent } = visit;
  const subject = artefactSubject(kind, address);
  const seen = walk.visited.get(subject);
  const before = seen === undefined ? undefined : walk.hops[seen];
  if (before !== undefined) {
    if (expected !== null && before.fingerprint !== expected)
      before.problems.push(`${subject} is not what ${nameOf(walk, parent)} was made from`);
    return;
  }
  const index = walk.hops.length;
  walk.visited.set(subject, index);
  const hop = addHop(walk, { kind, address, parent });
  let artefact: Artefact;
  try {
    artefact = await walk.store.open(kind, address);
  } catch (error) {
    if (!MartletError.is(error)) throw error;
    hop.problems.push(`${join(walk.store.root, subject)}/lineage.json: ${error.message}`);
    return;
  }
  hop.fingerprint = artefact.lineage.fingerprint;
  for (const problem of await walk.store.verify(artefact)) hop.problems.push(`${subject}/${problem}`);
  // Rows of a feedback dataset are read as a file, so their reader states the hash of that file.
  const known = [hop.fingerprint, kind === 'feedback' ? artefact.lineage.files['rows.jsonl'] : undefined];
  if (expected !== null && !known.includes(expected))
    hop.problems.push(`${subject} is not what ${nameOf(walk, parent)} was made from`);
  const record = member(walk.recorded.get(subject));
  if (record === undefined) hop.problems.push(`${subject} is not recorded in the audit log`);
  else if (record.fingerprint !== hop.fingerprint)
    hop.problems.push(`${subject}/lineage.json is not the one in the audit log`);

  const found = await checkDocuments({ store: walk.store, artefact, capture: visit.capture });
  hop.problems.push(...found.problems);
  Object.assign(hop.facts, found.facts);
  if (visit.alone === true) return;
  for (const base of found.bases) walk.bases.set(base.fingerprint, base.folder);
  const shardsFolder = kind === 'shards' ? artefact.folder : undefined;
  // Of a model that learned from another's answers, the steps are its own.
  const steps = kind === 'model' ? stepOf(hop) : visit.steps;
  for (const input of found.follow) await visitInput(walk, { input, parent: index, shardsFolder, steps });
  for (const base of found.bases) await visitBase(walk, { ...base, parent: index });
  if (kind === 'dataset') {
    const { shardsFolder } = visit;
    const rows = await checkRows(walk, { datasetFolder: artefact.folder, shardsFolder, steps });
    hop.problems.push(...rows.problems.map((problem) => `${subject}/${problem}`));
    hop.facts.rows = rows.count;
    walk.datasets.add(artefact.folder);
  }
  if (kind === 'shards') await visitShardRows(walk, { artefact, hop, steps });
}

/** The rows of a dataset; with shards, what they hold of them is kept for these. */
async function checkRows(
  walk: Walk,
  request: {
    readonly datasetFolder: string;
    readonly shardsFolder: string | undefined;
    readonly steps: number | undefined;
  },
): Promise<Pick<CheckedRows, 'count' | 'problems'>> {
  const { datasetFolder, shardsFolder, steps } = request;
  const { madeRows, shownRows: shown } = walk;
  if (shardsFolder === undefined) return checkDatasetRows(datasetFolder, { madeRows });
  const trained = await checkTrainedRows({ datasetFolder, shardsFolder, steps, shown, madeRows });
  walk.trained.set(shardsFolder, trained);
  return trained.dataset;
}

async function visitShardRows(
  walk: Walk,
  request: { readonly artefact: Artefact; readonly hop: OpenHop; readonly steps: number | undefined },
): Promise<void> {
  const { artefact, hop, steps } = request;
  const dataset = artefact.lineage.inputs.find((input) => input.kind === 'dataset');
  const datasetFolder = dataset && walk.store.folder('dataset', dataset.address);
  // That the dataset is missing has been said where it was looked for.
  if (datasetFolder === undefined || !walk.datasets.has(datasetFolder)) return;
  // Other shards may have led to the dataset before.
  if (!walk.trained.has(artefact.folder))
    await checkRows(walk, { datasetFolder, shardsFolder: artefact.folder, steps });
  const checked = walk.trained.get(artefact.folder);
  if (!checked) return;
  const subject = artefactSubject(artefact.kind, artefact.address);
  hop.problems.push(...checked.problems.map((problem) => `${subject}/${problem}`));
  Object.assign(hop.facts, { rows: checked.count, trainedRows: checked.computed });
  // The first shards reached are those of the answering model; later ones belong to models it learned from.
  if (walk.shardRowCount > 0) return;
  walk.rows = checked.rows;
  walk.rowCount = checked.computed;
  walk.shardRowCount = checked.count;
}

const stepOf = ({ facts }: OpenHop): number | undefined => (typeof facts.step === 'number' ? facts.step : undefined);

async function visitInput(
  walk: Walk,
  request: {
    readonly input: LineageInput;
    readonly parent: number;
    readonly shardsFolder: string | undefined;
    readonly steps: number | undefined;
  },
): Promise<void> {
  const { input, parent, shardsFolder, steps } = request;
  if (input.kind === 'file') return visitFile(walk, request);
  if (input.kind === 'query' || input.kind === 'plugin') return visitRows(walk, request);
  if (input.kind === 'base') {
    const folder = walk.bases.get(input.fingerprint) ?? resolve(input.address);
    return visitBase(walk, { folder, address: input.address, fingerprint: input.fingerprint, parent });
  }
  const address = input.kind === 'feedback' ? input.address.replace(/^feedback\//, '') : input.address;
  return visitArtefact(walk, {
    kind: input.kind,
    address,
    expected: input.fingerprint,
    parent,
    ...(shardsFolder !== undefined && { shardsFolder }),
    ...(steps !== undefined && { steps }),
  });
}
