import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fingerprint } from '../core/fingerprint.ts';
import { type Capture, deployment as deploymentDocument } from '../schema/deployment.ts';
import { appendCapture } from '../store/audit/captures.ts';
import { folderFingerprint } from '../store/files/files.ts';
import { type ChainFixture, writeChain } from '../store/trace/fixture.ts';
import { traceAnswer } from '../store/trace/trace.ts';
import { type Deployed, deploy } from './deployment.ts';

let folder: string;
let chain: ChainFixture;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'martlet-deployment-'));
  chain = await writeChain(folder);
});
afterEach(() => rm(folder, { recursive: true }));

const engine = 'embedded 1';

test('the newest of a name is served beside its base, once under one address', async () => {
  const { store } = chain;
  const { artefact, models } = await deploy({ store, models: ['brief'], engine });
  expect(models.map(({ entry }) => [entry.name, entry.model])).toEqual([
    ['base', null],
    ['brief', 'brief@1'],
  ]);
  const document = deploymentDocument.parse(
    JSON.parse(await readFile(join(artefact.folder, 'deployment.json'), 'utf8')),
  );
  expect(document.models[1]).toMatchObject({
    base: chain.base,
    adapter: join(store.folder('model', 'brief@1'), 'adapter'),
  });
  expect(artefact.lineage.inputs.map(({ kind }) => kind)).toEqual(['model', 'base']);
  expect((await deploy({ store, models: ['brief@1'], engine })).artefact.address).toBe(artefact.address);
  expect((await deploy({ store, models: ['brief'], engine: 'embedded 2' })).artefact.address).not.toBe(
    artefact.address,
  );
});

test('answers of the model and of the base trace back whole', async () => {
  const { store } = chain;
  const deployed = await deploy({ store, models: ['brief'], engine });
  for (const name of ['brief', 'base']) {
    const capture = captureOf(deployed, name);
    await appendCapture({ root: store.root, capture, at: new Date(capture.at) });
    const trace = await traceAnswer(store, capture.id, { rows: 3 });
    expect(trace.hops.flatMap(({ problems }) => problems)).toEqual([]);
    expect(trace.complete).toBe(true);
    expect(trace.rowCount).toBe(name === 'brief' ? 3 : 0);
  }
});

test('an answer traces back whole when another base is served beside its model', async () => {
  const { store } = chain;
  const other = join(folder, 'other');
  await mkdir(other);
  await writeFile(join(other, 'config.json'), '{}');
  const base = { folder: other, address: 'pypi:other', fingerprint: await folderFingerprint(other) };
  const capture = captureOf(await deploy({ store, models: ['brief'], base, engine }), 'brief');
  await appendCapture({ root: store.root, capture, at: new Date(capture.at) });
  const trace = await traceAnswer(store, capture.id);
  expect(trace.hops.flatMap(({ problems }) => problems)).toEqual([]);
  expect(trace.hops.filter(({ kind }) => kind === 'base').map(({ address }) => address)).toContain(other);
});

test('what is no longer what it was, or is not there, is not served', async () => {
  const { store } = chain;
  await expect(deploy({ store, models: [], engine })).rejects.toMatchObject({ code: 'nothing-to-serve' });
  await expect(deploy({ store, models: ['breif'], engine })).rejects.toMatchObject({ hint: 'Did you mean brief?' });
  await appendFile(join(chain.base, 'config.json'), ' ');
  await expect(deploy({ store, models: ['brief'], engine })).rejects.toThrow('config.json was altered');
  await appendFile(join(store.folder('model', 'brief@1'), 'adapter', 'adapter_model.safetensors'), ' ');
  await expect(deploy({ store, models: ['brief'], engine })).rejects.toThrow('not what was exported');
});

test('a model outlives the recipes of its version: of its plan only what is rendered must be known', async () => {
  const { store } = chain;
  const file = join(store.folder('plan', 'brief@1'), 'plan.json');
  const plan = JSON.parse(await readFile(file, 'utf8'));
  plan.values.data.dialect = 'of another version';
  await writeFile(file, JSON.stringify(plan));
  expect((await deploy({ store, models: ['brief'], engine })).models).toHaveLength(2);
  plan.values.render.template = 3;
  await writeFile(file, JSON.stringify(plan));
  await expect(deploy({ store, models: ['brief'], engine })).rejects.toMatchObject({
    code: 'document-unreadable',
    message: expect.stringContaining('plan.json: values.render.template: '),
  });
});

function captureOf({ artefact, models }: Deployed, name: string): Capture {
  const entry = models.map((each) => each.entry).find((each) => each.name === name);
  const request = { messages: [{ role: 'user', content: 'x' }] };
  return {
    schema: 'capture/1',
    id: `answer-of-${name}`,
    at: '2026-01-02T03:05:00.000Z',
    deployment: artefact.address,
    deploymentFingerprint: artefact.lineage.fingerprint,
    model: name,
    modelFingerprint: entry?.modelFingerprint ?? '',
    planHash: entry?.planHash ?? null,
    requestDigest: fingerprint(request),
    request,
    promptTokens: 1,
    completionTokens: 1,
    answer: 'y',
    finishReason: 'stop',
    seconds: 0,
  };
}
