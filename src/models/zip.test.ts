import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { zipOf } from './test-wheel.ts';
import { extractZipMember, readZip } from './zip.ts';

const content = Buffer.from('a martlet has no feet. '.repeat(9000));
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'martlet-zip-'));
});
afterAll(() => rm(folder, { recursive: true }));

let count = 0;
async function archive(bytes: Buffer): Promise<string> {
  const file = join(folder, `${++count}.zip`);
  await writeFile(file, bytes);
  return file;
}

async function extract(file: string, name: string): Promise<Buffer> {
  const member = (await readZip(file)).find((each) => each.name === name);
  if (!member) throw new Error(`no ${name}`);
  const target = join(folder, `${++count}.out`);
  await extractZipMember({ file, member, target });
  return readFile(target);
}

test.each([{ stored: true }, { stored: false }, { stored: false, extra: 28 }])('reads %j', async (options) => {
  const file = await archive(
    zipOf({ 'a/b.txt': Buffer.from('b'), 'größe.gguf': content, empty: Buffer.alloc(0) }, options),
  );
  expect((await readZip(file)).map(({ name, bytes }) => [name, bytes])).toEqual([
    ['a/b.txt', 1],
    ['größe.gguf', content.length],
    ['empty', 0],
  ]);
  expect((await extract(file, 'größe.gguf')).equals(content)).toBe(true);
  expect(await extract(file, 'empty')).toHaveLength(0);
});

test.each([{ stored: true }, { stored: false }])('refuses a member with one changed byte (%j)', async (options) => {
  const bytes = zipOf({ a: content }, options);
  const at = options.stored ? 5000 : 100;
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  await expect(extract(await archive(bytes), 'a')).rejects.toMatchObject({ code: 'bad-zip' });
});

test('refuses a member that unpacks to more than its directory says', async () => {
  const bytes = zipOf({ a: content });
  const entry = bytes.indexOf('PK\x01\x02');
  bytes.writeUInt32LE(10, entry + 24);
  await expect(extract(await archive(bytes), 'a')).rejects.toMatchObject({ code: 'bad-zip' });
});

test('refuses what is cut, no archive, or packed in a way it does not know', async () => {
  const whole = zipOf({ a: content });
  const unknown = Buffer.from(whole);
  unknown.writeUInt16LE(14, whole.indexOf('PK\x01\x02') + 10);
  const beyond = Buffer.from(whole);
  beyond.writeUInt32LE(whole.length, whole.length - 6);
  for (const bytes of [whole.subarray(0, -30), Buffer.from('no archive'), Buffer.alloc(0), unknown, beyond])
    await expect(readZip(await archive(bytes))).rejects.toMatchObject({ code: 'bad-zip' });
});
