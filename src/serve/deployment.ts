import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { MartletError } from '../core/error.ts';
import { fingerprint } from '../core/fingerprint.ts';
import { nearestName } from '../core/nearest.ts';
import { templateFile } from '../models/chat-template.ts';
import type { RenderOptions } from '../models/encoder.ts';
import { run as runDocument } from '../schema/checkpoint.ts';
import type { Deployment } from '../schema/deployment.ts';
import type { LineageInput } from '../schema/lineage.ts';
import { type Model, model as modelDocument } from '../schema/model.ts';
import { type PlanValues, planValues } from '../schema/plan.ts';
import { artefactInput } from '../store/open-store.ts';
import { readDocument } from '../store/read-document.ts';
import type { Artefact, Store } from '../store/store.ts';
import { verifyBase } from '../store/trace/base.ts';

/** A base model on this machine. */
export interface ServedBase {
  readonly folder: string;
  readonly address: string;
  readonly fingerprint: string;
}

export interface DeployRequest {
  readonly store: Store;
  /** Exported models, as `name@n`, or as `name` for the newest. */
  readonly models: readonly string[];
  /** Served as `base`; the base of the first model unless given. */
  readonly base?: ServedBase | undefined;
  /** Engine and version. */
  readonly engine: string;
}

export interface Deployed {
  readonly artefact: Artefact;
  readonly models: readonly DeployedModel[];
}

export interface DeployedModel {
  readonly entry: Deployment['models'][number];
  /** How its conversations are rendered. */
  readonly render: RenderOptions;
}

interface Exported {
  readonly artefact: Artefact;
  readonly document: Model;
  readonly render: PlanValues['render'];
}

const baseName = 'base';

/** All that serving takes from a plan: what else stands in it may be of a version with other recipes. */
const servedPlan = z.object({ values: z.object({ render: planValues.shape.render }) });

/**
 * Makes the deployment of these models, or finds the one there is of just these. Their files are hashed first: what is
 * served is what was exported.
 * @throws MartletError `artefact-missing`, `model-altered`, `nothing-to-serve`, `document-unreadable`
 */
export async function deploy(request: DeployRequest): Promise<Deployed> {
  const { store, engine } = request;
  const exported: Exported[] = [];
  for (const address of new Set(request.models)) exported.push(await openExported(store, address));
  const [first] = exported;
  const base = request.base ?? (first && baseOf(first.document));
  if (!base)
    throw new MartletError('nothing-to-serve', 'there is no model to serve', {
      hint: 'Name an exported model, or a base with --base.',
    });
  await refuseAltered([base, ...exported.map(({ document }) => baseOf(document))]);
  const models: DeployedModel[] = [
    {
      entry: baseEntry(base),
      render: { template: first?.render.template ?? 'model', learn: 'assistant', system: null },
    },
    ...exported.map((each) => withTemplate(modelEntry(each, exported), each.render)),
  ];
  const document: Deployment = { schema: 'deployment/1', engine, models: models.map(({ entry }) => entry) };
  const inputs = [...exported.map(({ artefact }) => artefactInput(artefact)), baseInput(base)];
  const name = first?.artefact.address.replace(/@\d+$/, '') ?? baseName;
  const key = fingerprint({ document, inputs: inputs.map((input) => input.fingerprint) });
  const known = await store.find({ kind: 'deployment', name, key });
  const artefact =
    known ??
    (await store.create({ kind: 'deployment', name, key, inputs }, async (folder) => {
      await writeFile(join(folder, 'deployment.json'), `${JSON.stringify(document, null, 2)}\n`);
      return { models: models.map(({ entry }) => entry.name) };
    }));
  return { artefact, models };
}

async function openExported(store: Store, address: string): Promise<Exported> {
  const artefact = address.includes('@') ? await store.open('model', address) : await newest(store, address);
  const problems = await store.verify(artefact);
  if (problems.length > 0)
    throw new MartletError(
      'model-altered',
      `models/${artefact.address} is not what was exported: ${problems.join('; ')}`,
      {
        hint: 'martlet export <recipe> makes it anew, as the next version; the altered one stays for who wants to know why.',
      },
    );
  const document = await readDocument(join(artefact.folder, 'model.json'), modelDocument);
  const run = await readDocument(join(store.folder('run', document.run), 'run.json'), runDocument);
  const plan = await readDocument(join(store.folder('plan', run.plan), 'plan.json'), servedPlan);
  return { artefact, document, render: plan.values.render };
}

async function newest(store: Store, name: string): Promise<Artefact> {
  const found = await store.latest('model', name);
  if (found) return found;
  const names = new Set((await store.list('model')).map(({ address }) => address.replace(/@\d+$/, '')));
  const near = nearestName(name, names);
  throw new MartletError('artefact-missing', `no model was exported as ${name}`, {
    hint: near
      ? `Did you mean ${near}?`
      : `There is ${names.size > 0 ? [...names].join(', ') : 'none yet. Make one with: martlet export <recipe>'}.`,
  });
}

/** @throws MartletError `model-altered` when a base is not the one that was trained on. */
async function refuseAltered(bases: readonly ServedBase[]): Promise<void> {
  const distinct = new Map(bases.map((base) => [`${base.folder} ${base.fingerprint}`, base]));
  for (const base of distinct.values()) {
    const { problems } = await verifyBase(base);
    if (problems.length > 0)
      throw new MartletError('model-altered', `the base model is not what it was: ${problems.join('; ')}`, {
        hint: `Fetch ${base.address} again, then train again if it has changed.`,
      });
  }
}

function modelEntry({ artefact, document }: Exported, all: readonly Exported[]): Deployment['models'][number] {
  const name = artefact.address.replace(/@\d+$/, '');
  const alone = name !== baseName && all.filter((each) => each.artefact.address.startsWith(`${name}@`)).length === 1;
  const merged = !document.formats.includes('adapter');
  if (merged && !document.formats.includes('safetensors'))
    throw new MartletError('format-missing', `models/${artefact.address} has neither adapter nor safetensors`, {
      hint: 'Export it again with export.formats: [adapter].',
    });
  return {
    name: alone ? name : artefact.address,
    model: artefact.address,
    modelFingerprint: artefact.lineage.fingerprint,
    planHash: document.planHash,
    base: merged ? join(artefact.folder, 'safetensors') : document.base,
    adapter: merged ? null : join(artefact.folder, 'adapter'),
  };
}

/** A template of the recipe's own is the copy that was exported: the file it was taken from may say something else by now. */
function withTemplate(entry: Deployment['models'][number], render: PlanValues['render']): DeployedModel {
  const copy = join(entry.adapter ?? entry.base, templateFile);
  return { entry, render: render.template !== 'model' && existsSync(copy) ? { ...render, template: copy } : render };
}

function baseEntry({ folder, fingerprint: what }: ServedBase): Deployment['models'][number] {
  return { name: baseName, model: null, modelFingerprint: what, planHash: null, base: folder, adapter: null };
}

function baseOf({ base, baseAddress, baseFingerprint }: Model): ServedBase {
  return { folder: base, address: baseAddress, fingerprint: baseFingerprint };
}

/** By its folder: when another model answered, nothing else says where this base stands. */
function baseInput({ folder, fingerprint: what }: ServedBase): LineageInput {
  return { kind: 'base', address: folder, fingerprint: what };
}
