import { existsSync } from 'node:fs';
import { join, normalize, relative, sep } from 'node:path';
import { z } from 'zod';
import { MartletError } from '../../core/error.ts';
import { fingerprint } from '../../core/fingerprint.ts';
import { planHash } from '../../core/plan-hash.ts';
import { checkpoint, run } from '../../schema/checkpoint.ts';
import { type Json, json, sha256Hex } from '../../schema/common.ts';
import { dataset } from '../../schema/dataset.ts';
import { type Capture, type Deployment, deployment } from '../../schema/deployment.ts';
import type { ArtefactKind, LineageInput } from '../../schema/lineage.ts';
import { model } from '../../schema/model.ts';
import { report } from '../../schema/report.ts';
import { shards } from '../../schema/shards.ts';
import { hasCode, readTextIfThere } from '../files/files.ts';
import { artefactSubject } from '../open-store.ts';
import { readDocument } from '../read-document.ts';
import type { Artefact, Store } from '../store.ts';

/** What the document of one artefact says about the chain. */
export interface DocumentFindings {
  readonly problems: readonly string[];
  readonly facts: Readonly<Record<string, Json>>;
  /** Inputs to walk on to. */
  readonly follow: readonly LineageInput[];
  /** Base models it names, with their folders. */
  readonly bases: readonly { readonly folder: string; readonly fingerprint: string }[];
}

interface Request {
  readonly store: Store;
  readonly artefact: Artefact;
  readonly capture?: Capture | undefined;
}

interface Findings {
  readonly problems: string[];
  readonly facts: Record<string, Json>;
  follow: readonly LineageInput[];
  readonly bases: { folder: string; fingerprint: string }[];
}

/**
 * Reads the document of an artefact and holds it against its lineage and the documents it refers to: hashes alone would
 * let two artefacts that are each whole, and do not belong together, stand in one chain.
 */
export async function checkDocuments(request: Request): Promise<DocumentFindings> {
  const findings: Findings = { problems: [], facts: {}, follow: request.artefact.lineage.inputs, bases: [] };
  try {
    await checks[request.artefact.kind](request, findings);
  } catch (error) {
    // A document may have been made to name what cannot be an address.
    if (!MartletError.is(error)) throw error;
    findings.problems.push(error.message);
  }
  const subject = artefactSubject(request.artefact.kind, request.artefact.address);
  return { ...findings, problems: findings.problems.map((problem) => `${subject}/${problem}`) };
}

/** A plan may be of a version with other recipes: its hash is over whatever values stand in it. In the first, over all. */
const tracedPlan = z.looseObject({
  schema: z.string(),
  hash: sha256Hex,
  values: z.looseObject({ method: z.looseObject({ name: z.string() }) }),
  loss: json,
});

const checks: Record<ArtefactKind, (request: Request, findings: Findings) => Promise<void>> = {
  plan: async ({ artefact }, { problems, facts }) => {
    const read = await ownDocument({ artefact, file: 'plan.json', schema: tracedPlan, problems });
    if (read === undefined) return;
    facts.planHash = read.hash;
    facts.method = read.values.method.name;
    const { schema, values, loss } = read;
    if ((schema === 'plan/1' ? fingerprint({ values, loss }) : planHash({ values, loss })) !== read.hash)
      problems.push('plan.json states a hash that is not the one of its values and loss');
  },

  dataset: async ({ artefact }, { problems, facts }) => {
    const read = await ownDocument({ artefact, file: 'dataset.json', schema: dataset, problems });
    if (read !== undefined) facts.rowsIn = read.rowsIn;
  },

  shards: async ({ artefact }, { problems, facts }) => {
    const read = await ownDocument({ artefact, file: 'shards.json', schema: shards, problems });
    requireInput({ artefact, kind: 'dataset', problems });
    if (read?.splits.train !== undefined) facts.learnedTokens = read.splits.train.learnedTokens;
  },

  run: async ({ store, artefact }, { problems, facts, bases }) => {
    const read = await ownDocument({ artefact, file: 'run.json', schema: run, problems });
    if (read === undefined) return;
    facts.planHash = read.planHash;
    bases.push({ folder: read.base, fingerprint: read.baseFingerprint });
    requireInput({ artefact, kind: 'plan', address: read.plan, problems });
    requireInput({ artefact, kind: 'shards', address: read.shards, problems });
    const planned = await readOther({ store, kind: 'plan', address: read.plan, file: 'plan.json', schema: tracedPlan });
    if (planned !== undefined && planned.hash !== read.planHash)
      problems.push(`run.json states another plan hash than plans/${read.plan}`);
  },

  model: async ({ store, artefact }, { problems, facts, bases }) => {
    const read = await ownDocument({ artefact, file: 'model.json', schema: model, problems });
    if (read === undefined) return;
    Object.assign(facts, { checkpoint: read.checkpoint, formats: read.formats });
    bases.push({ folder: read.base, fingerprint: read.baseFingerprint });
    requireInput({ artefact, kind: 'run', address: read.run, problems });
    const trained = await readOther({ store, kind: 'run', address: read.run, file: 'run.json', schema: run });
    if (trained !== undefined && trained.planHash !== read.planHash)
      problems.push(`model.json states another plan hash than runs/${read.run}`);
    if (trained !== undefined && trained.baseFingerprint !== read.baseFingerprint)
      problems.push(`model.json states another base than runs/${read.run}`);
    const saved = await checkpointOf({ store, run: read.run, checkpoint: read.checkpoint });
    if (saved === undefined)
      problems.push(`model.json names a checkpoint ${read.checkpoint} that runs/${read.run} has not`);
    else if (saved.planHash !== read.planHash) problems.push('model.json states another plan hash than its checkpoint');
    else facts.step = saved.step;
  },

  deployment: async ({ store, artefact, capture }, findings) => {
    const { problems, facts, bases } = findings;
    const read = await ownDocument({ artefact, file: 'deployment.json', schema: deployment, problems });
    if (read === undefined) return;
    facts.engine = read.engine;
    for (const entry of read.models) {
      if (capture !== undefined && entry.name !== capture.model) continue;
      if (entry.model === null) bases.push({ folder: entry.base, fingerprint: entry.modelFingerprint });
      else await checkServed({ store, artefact, entry, problems });
    }
    if (capture === undefined) return;
    const entry = read.models.find(({ name }) => name === capture.model);
    if (entry === undefined) {
      problems.push(`deployment.json serves no ${capture.model}`);
      return;
    }
    if (entry.modelFingerprint !== capture.modelFingerprint)
      problems.push(`deployment.json serves another ${capture.model} than the one that answered`);
    if (entry.planHash !== capture.planHash) problems.push('deployment.json states another plan hash than the answer');
    // Other models of the deployment had no part in this answer.
    findings.follow = findings.follow.filter(({ kind, address }) => kind !== 'model' || address === entry.model);
  },

  report: async ({ artefact }, { problems, facts }) => {
    const read = await ownDocument({ artefact, file: 'report.json', schema: report, problems });
    if (read !== undefined) facts.tasks = read.tasks;
  },

  feedback: async ({ artefact }, { facts }) => {
    Object.assign(facts, artefact.lineage.facts);
  },
};

async function checkServed(request: {
  readonly store: Store;
  readonly artefact: Artefact;
  readonly entry: Deployment['models'][number];
  readonly problems: string[];
}): Promise<void> {
  const { store, artefact, entry, problems } = request;
  const address = entry.model ?? '';
  requireInput({ artefact, kind: 'model', address, problems });
  const served = artefact.lineage.inputs.find((input) => input.kind === 'model' && input.address === address);
  if (served !== undefined && served.fingerprint !== entry.modelFingerprint)
    problems.push(`deployment.json states another fingerprint of models/${address} than its lineage`);
  const exported = await readOther({ store, kind: 'model', address, file: 'model.json', schema: model });
  if (exported === undefined) return;
  if (exported.planHash !== entry.planHash)
    problems.push(`deployment.json states another plan hash than models/${address}`);
  const { adapter, base } = entry;
  if (adapter !== null && !isPartOf('model', address, adapter) && !isPartOf('run', exported.run, adapter))
    problems.push(`deployment.json serves the adapter ${adapter}, which is no part of models/${address}`);
  const known = isPartOf('model', address, base) || base === exported.base;
  if (!known) problems.push(`deployment.json serves the base ${base}, which models/${address} does not name`);
}

/** Whether a path leads into an artefact, wherever the store stood when it was written down: its files have fingerprints of their own. */
function isPartOf(kind: ArtefactKind, address: string, path: string): boolean {
  return `${normalize(path).replaceAll(sep, '/')}/`.includes(`/${artefactSubject(kind, address)}/`);
}

/** A link that a document states must be an input of the lineage too: only there it has a fingerprint. */
function requireInput(request: {
  readonly artefact: Artefact;
  readonly kind: ArtefactKind;
  readonly address?: string;
  readonly problems: string[];
}): void {
  const { artefact, kind, address, problems } = request;
  const there = artefact.lineage.inputs.some(
    (input) => input.kind === kind && (address === undefined || input.address === address),
  );
  if (!there)
    problems.push(`lineage.json names no ${address === undefined ? kind : artefactSubject(kind, address)} as input`);
}

async function checkpointOf(request: { readonly store: Store; readonly run: string; readonly checkpoint: string }) {
  const home = request.store.folder('run', request.run);
  for (const folder of [request.checkpoint, join('checkpoints', request.checkpoint)]) {
    const path = join(home, folder);
    if (isInside(home, path) && existsSync(join(path, 'checkpoint.json')))
      return readFileAs(join(path, 'checkpoint.json'), checkpoint);
  }
  return undefined;
}

/** The document of an artefact; what is wrong with it goes to `problems`. */
async function ownDocument<T extends z.ZodType>(request: {
  readonly artefact: Artefact;
  readonly file: string;
  readonly schema: T;
  readonly problems: string[];
}): Promise<z.output<T> | undefined> {
  const { artefact, file, schema, problems } = request;
  try {
    return await readDocument(join(artefact.folder, file), schema);
  } catch (error) {
    if (!MartletError.is(error) && !hasCode(error, 'ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES')) throw error;
    problems.push(MartletError.is(error) ? error.message : `${file} is missing or cannot be read`);
    return undefined;
  }
}

/** The document of another artefact; undefined when it cannot be read, which the visit of that artefact reports. */
async function readOther<T extends z.ZodType>(request: {
  readonly store: Store;
  readonly kind: ArtefactKind;
  readonly address: string;
  readonly file: string;
  readonly schema: T;
}): Promise<z.output<T> | undefined> {
  const { store, kind, address, file, schema } = request;
  return readFileAs(join(store.folder(kind, address), file), schema);
}

async function readFileAs<T extends z.ZodType>(file: string, schema: T): Promise<z.output<T> | undefined> {
  try {
    const text = await readTextIfThere(file);
    return text === undefined ? undefined : schema.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError || hasCode(error, 'EISDIR')) return undefined;
    throw error;
  }
}

function isInside(folder: string, path: string): boolean {
  const inside = relative(folder, path);
  return inside !== '..' && !inside.startsWith(`..${sep}`);
}
