import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fingerprint } from '../core/fingerprint.ts';
import type { AuditRecord } from '../schema/audit.ts';
import { readAudit, verifyAudit } from './audit/audit-log.ts';
import { artefactInput, openStore } from './open-store.ts';
import type { CreateRequest, Store } from './store.ts';

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'martlet-store-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

let count = 0;
const freshStore = (root = join(scratch, `s${count++}`)): Promise<Store> =>
  openStore({
    root,
    clock: () => new Date('2026-01-02T03:04:05Z'),
    who: 'tester',
    code: { version: '0.0.0', revision: null },
    machine: 'test machine',
  });
const request = (over: Partial<CreateRequest> = {}): CreateRequest => ({
  kind: 'dataset',
  name: 'brief',
  key: fingerprint('key'),
  inputs: [],
  ...over,
});
const writeRows = async (folder: string): Promise<{ rows: number }> => {
  await mkdir(join(folder, 'deep'));
  await writeFile(join(folder, 'rows.jsonl'), '{}\n');
  await writeFile(join(folder, 'deep', 'more.bin'), new Uint8Array([1, 2, 3]));
  return { rows: 1 };
};

describe('create', () => {
  test('commits a folder with lineage, versions and an audit record', async () => {
    const store = await freshStore();
    const first = await store.create(request(), writeRows);
    const second = await store.create(request({ inputs: [artefactInput(first)] }), writeRows);
    expect([first.address, second.address]).toEqual(['brief@1', 'brief@2']);
    expect(first.folder).toBe(join(store.root, 'datasets', 'brief@1'));
    expect(first.lineage).toMatchObject({
      createdBy: 'tester',
      createdAt: '2026-01-02T03:04:05.000Z',
      facts: { rows: 1 },
    });
    expect(Object.keys(first.lineage.files)).toEqual(['deep/more.bin', 'rows.jsonl']);
    const { fingerprint: stated, ...content } = first.lineage;
    expect(stated).toBe(fingerprint(content));
    expect(JSON.parse(await readFile(join(first.folder, 'lineage.json'), 'utf8'))).toEqual(first.lineage);
    expect(second.lineage.inputs).toEqual([{ kind: 'dataset', address: 'brief@1', fingerprint: stated }]);
    const records: AuditRecord[] = [];
    for await (const record of readAudit(store.root)) records.push(record);
    expect(records.map(({ kind, subject, content }) => ({ kind, subject, content }))).toEqual(
      [first, second].map(({ address, lineage }) => ({
        kind: 'artefact',
        subject: `datasets/${address}`,
        content: { fingerprint: lineage.fingerprint },
      })),
    );
    expect(await readdir(join(store.root, 'datasets'))).toEqual(['brief@1', 'brief@2']);
  });

  test('leaves nothing when the stage fails', async () => {
    const store = await freshStore();
    await expect(
      store.create(request(), async (folder) => {
        await writeFile(join(folder, 'half'), '');
        throw new Error('no more disk');
      }),
    ).rejects.toThrow('no more disk');
    expect(await readdir(join(store.root, 'datasets'))).toEqual([]);
    expect(existsSync(join(store.root, 'audit'))).toBe(false);
  });

  test('names with slashes nest; names that leave their folder are refused', async () => {
    const store = await freshStore();
    const nested = await store.create(request({ name: 'desk/brief.v2' }), writeRows);
    expect((await store.list('dataset')).map((each) => each.address)).toEqual(['desk/brief.v2@1']);
    expect(await store.open('dataset', 'desk/brief.v2@1')).toEqual(nested);
    for (const name of ['../x', 'a/../b', 'a//b', 'A', '', 'a/', '.a']) {
      await expect(store.create(request({ name }), writeRows)).rejects.toMatchObject({ code: 'bad-name' });
    }
    await expect(store.open('dataset', 'a/../../b@1')).rejects.toMatchObject({ code: 'bad-name' });
  });

  test('many at once get a version each, and each is recorded', async () => {
    const store = await freshStore();
    const keys = Array.from({ length: 8 }, (_, i) => fingerprint(`key ${i}`));
    const made = await Promise.all(keys.map((key) => store.create(request({ key }), writeRows)));
    expect(made.map((each) => each.address).sort()).toEqual(Array.from({ length: 8 }, (_, i) => `brief@${i + 1}`));
    expect(await verifyAudit({ root: store.root })).toMatchObject({ records: 8, problems: [] });
    for (const each of made) expect(await store.verify(each)).toEqual([]);
  });

  test('the same thing made by many at once becomes one version', async () => {
    const store = await freshStore();
    const made = await Promise.all(Array.from({ length: 4 }, () => store.create(request(), writeRows)));
    expect(new Set(made.map((each) => each.address))).toEqual(new Set(['brief@1']));
    expect(await readdir(join(store.root, 'datasets'))).toEqual(['brief@1']);
    expect(await verifyAudit({ root: store.root })).toMatchObject({ records: 1, problems: [] });
  });

  test('what a killed process left is cleaned by the next one', async () => {
    const store = await freshStore();
    const program = `
      import { openStore } from ${JSON.stringify(join(import.meta.dirname, 'open-store.ts'))};
      const store = await openStore({ root: ${JSON.stringify(store.root)}, clock: () => new Date(), who: 'x' });
      await store.create({ kind: 'dataset', name: 'brief', key: '${fingerprint('k')}', inputs: [] }, async () => {
        process.stdout.write('working');
        return new Promise(() => setInterval(() => {}, 1000));
      });`;
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((done) => child.stdout.once('data', done));
    expect(await readdir(join(store.root, 'datasets'))).toHaveLength(1);
    const ended = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await ended;
    const made = await store.create(request(), writeRows);
    expect(made.address).toBe('brief@1');
    expect(await readdir(join(store.root, 'datasets'))).toEqual(['brief@1']);
  });
});

describe('find, open, latest, list', () => {
  test('find gives the newest whole artefact with that key', async () => {
    const store = await freshStore();
    const key = fingerprint('wanted');
    expect(await store.find({ kind: 'dataset', name: 'brief', key })).toBeUndefined();
    const first = await store.create(request({ key }), writeRows);
    const second = await store.create(request({ key }), writeRows);
    const third = await store.create(request(), writeRows);
    expect((await store.find({ kind: 'dataset', name: 'brief', key }))?.address).toBe(second.address);
    await rm(join(second.folder, 'rows.jsonl'));
    expect((await store.find({ kind: 'dataset', name: 'brief', key }))?.address).toBe(first.address);
    expect((await store.latest('dataset', 'brief'))?.address).toBe(third.address);
    expect(await store.latest('model', 'brief')).toBeUndefined();
  });

  test('versions count as numbers', async () => {
    const store = await freshStore();
    for (let i = 0; i < 11; i++) await store.create(request(), writeRows);
    expect((await store.latest('dataset', 'brief'))?.address).toBe('brief@11');
    expect((await store.list('dataset')).map((each) => each.address).slice(-2)).toEqual(['brief@10', 'brief@11']);
  });

  test('open names the newest version of the nearest name', async () => {
    const store = await freshStore();
    for (const key of ['a', 'b'].map(fingerprint))
      await store.create(request({ name: 'market-brief', key }), writeRows);
    await expect(store.open('dataset', 'market-brief@9')).rejects.toMatchObject({
      hint: 'The newest is market-brief@2.',
    });
    await expect(store.open('dataset', 'market-breif@1')).rejects.toMatchObject({
      code: 'artefact-missing',
      hint: 'Did you mean market-brief@2?',
    });
  });
});

describe('runs', () => {
  test('begin, take up again, seal', async () => {
    const store = await freshStore();
    const key = fingerprint('run');
    const begun = await store.beginRun({ name: 'brief', key });
    expect(begun).toEqual({ address: 'brief@1', folder: join(store.root, 'runs', 'brief@1'), resumed: false });
    await writeFile(join(begun.folder, 'events.jsonl'), '{}\n');
    expect(await store.beginRun({ name: 'brief', key })).toEqual({ ...begun, resumed: true });
    expect(await store.beginRun({ name: 'brief', key: fingerprint('other') })).toMatchObject({ address: 'brief@2' });
    await expect(store.open('run', 'brief@1')).rejects.toThrow('run brief@1 is not finished');
    expect(await store.list('run')).toEqual([]);
    const sealed = await store.sealRun('brief@1', request({ kind: 'run', key }), { steps: 3 });
    expect(Object.keys(sealed.lineage.files)).toEqual(['events.jsonl']);
    expect(await readdir(sealed.folder)).toEqual(['events.jsonl', 'lineage.json']);
    expect(await store.verify(sealed)).toEqual([]);
    expect(await store.open('run', 'brief@1')).toEqual(sealed);
    // As a process leaves it that is killed when the lineage stands.
    await writeFile(join(begun.folder, '.run.json'), '{}');
    expect(await store.find({ kind: 'run', name: 'brief', key })).toEqual(sealed);
    expect(await readdir(sealed.folder)).toEqual(['events.jsonl', 'lineage.json']);
    expect(await store.beginRun({ name: 'brief', key })).toMatchObject({ address: 'brief@3', resumed: false });
    await expect(store.sealRun('brief@1', request({ kind: 'run', key }), {})).rejects.toMatchObject({
      code: 'run-sealed',
    });
  });

  test('a run of another living process is left alone', async () => {
    const store = await freshStore();
    const program = `
      import { openStore } from ${JSON.stringify(join(import.meta.dirname, 'open-store.ts'))};
      const store = await openStore({ root: ${JSON.stringify(store.root)}, clock: () => new Date(), who: 'x' });
      await store.beginRun({ name: 'brief', key: '${fingerprint('run')}' });
      process.stdout.write('begun');
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((done) => child.stdout.once('data', done));
    await expect(store.beginRun({ name: 'brief', key: fingerprint('run') })).rejects.toMatchObject({
      code: 'run-busy',
    });
    const ended = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await ended;
    expect(await store.beginRun({ name: 'brief', key: fingerprint('run') })).toMatchObject({
      address: 'brief@1',
      resumed: true,
    });
  });
});

describe('verify', () => {
  test('names what was altered, added and removed', async () => {
    const store = await freshStore();
    const made = await store.create(request(), writeRows);
    await writeFile(join(made.folder, 'rows.jsonl'), '{ }\n');
    await rm(join(made.folder, 'deep', 'more.bin'));
    await writeFile(join(made.folder, 'new'), '');
    expect(await store.verify(made)).toEqual(['deep/more.bin is missing', 'rows.jsonl was altered', 'new was added']);
  });

  test('finds a lineage whose spaces, facts or fingerprint were changed', async () => {
    const store = await freshStore();
    const made = await store.create(request(), writeRows);
    const file = join(made.folder, 'lineage.json');
    const text = await readFile(file, 'utf8');
    await writeFile(file, `${text} `);
    expect(await store.verify(made)).toEqual(['lineage.json is not written as it was committed']);
    await writeFile(file, text.replace('"rows": 1', '"rows": 2'));
    expect(await store.verify(made)).toEqual(['lineage.json was altered: its fingerprint is another']);
    const { fingerprint: _, ...content } = { ...made.lineage, facts: { rows: 2 } };
    await writeFile(file, `${JSON.stringify({ ...content, fingerprint: fingerprint(content) }, null, 2)}\n`);
    expect(await store.verify(made)).toEqual(['lineage.json is of another artefact']);
  });
});
