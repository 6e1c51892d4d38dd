import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { canonicalJson } from '../../core/canonical-json.ts';
import { fingerprint } from '../../core/fingerprint.ts';
import { randomStream } from '../../core/random.ts';
import { type AuditRecord, auditRecord } from '../../schema/audit.ts';
import { appendAudit, readAudit, verifyAudit } from './audit-log.ts';

const at = new Date('2026-01-02T03:04:05Z');
let scratch: string;
let original: string;
let lines: string[];
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'martlet-audit-'));
  original = join(scratch, 'original');
  for (let i = 0; i < 6; i++) await add(original, i);
  lines = (await readFile(join(original, 'audit', 'log.jsonl'), 'utf8')).trimEnd().split('\n');
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

function add(root: string, i: number): Promise<AuditRecord> {
  return appendAudit({
    root,
    at,
    kind: 'capture',
    subject: `answer-${i}`,
    content: { text: `Größe ${i} 😀`, n: i / 3 },
  });
}

let count = 0;
async function copy(): Promise<{ root: string; log: string; head: string }> {
  const root = join(scratch, `copy-${count++}`);
  await cp(original, root, { recursive: true });
  return { root, log: join(root, 'audit', 'log.jsonl'), head: join(root, 'audit', 'head.json') };
}

/** The verdict on a copy whose log was replaced. */
async function verdictOn(log: string | Buffer): Promise<Awaited<ReturnType<typeof verifyAudit>>> {
  const place = await copy();
  await writeFile(place.log, log);
  return verifyAudit({ root: place.root });
}

const text = (changed: readonly string[]): string => `${changed.join('\n')}\n`;

async function recordsOf(root: string): Promise<AuditRecord[]> {
  const records: AuditRecord[] = [];
  for await (const record of readAudit(root)) records.push(record);
  return records;
}

describe('an untouched log', () => {
  test('is chained, signed and whole', async () => {
    const records = await recordsOf(original);
    expect(records.map((record) => record.sequence)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(records[0]?.previous).toBe('0'.repeat(64));
    for (const [i, record] of records.slice(1).entries()) expect(record.previous).toBe(records[i]?.hash);
    const verdict = await verifyAudit({ root: original });
    expect(verdict).toMatchObject({ records: 6, head: { sequence: 5, hash: records[5]?.hash }, problems: [] });
    expect((await stat(join(original, 'audit', 'key'))).mode & 0o777).toBe(0o600);
  });

  test('an empty store has nothing to complain about', async () => {
    expect(await verifyAudit({ root: join(scratch, 'nowhere') })).toMatchObject({
      records: 0,
      head: null,
      problems: [],
    });
  });
});

describe('finds', () => {
  test('a bit flipped in any field of any record, at its line', async () => {
    for (const [index, line] of lines.entries()) {
      const fields = Object.keys(JSON.parse(line));
      expect(fields).toHaveLength(7);
      for (const field of fields) {
        const place = line.indexOf(`"${field}":`) + field.length + 4;
        const changed = Buffer.from(line);
        changed[place] = (changed[place] ?? 0) ^ 1;
        const bytes = Buffer.concat(
          lines.flatMap((each, i) => [i === index ? changed : Buffer.from(each), Buffer.from('\n')]),
        );
        const { problems } = await verdictOn(bytes);
        expect(
          problems.map((problem) => problem.line),
          `${field} of ${index}`,
        ).toContain(index + 1);
      }
    }
  });

  test('a bit flipped anywhere in log or head', async () => {
    const random = randomStream(20260102);
    const place = await copy();
    for (const file of [place.log, place.head]) {
      const bytes = await readFile(file);
      for (let i = 0; i < 60; i++) {
        const at = random.below(bytes.length);
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8));
        await writeFile(file, changed);
        const { problems } = await verifyAudit({ root: place.root });
        expect(problems, `byte ${at} of ${file}`).not.toEqual([]);
      }
      await writeFile(file, bytes);
    }
    expect((await verifyAudit({ root: place.root })).problems).toEqual([]);
  });

  test('each record deleted, swapped, repeated or inserted', async () => {
    for (let i = 0; i < lines.length; i++) {
      const without = await verdictOn(text(lines.filter((_, index) => index !== i)));
      expect(without.problems[0], `without ${i}`).toMatchObject({ sequence: i, line: i < 5 ? i + 1 : null });
      expect(without.problems[0]?.message).toMatch(new RegExp(`^record ${i} is missing`));

      const repeated = await verdictOn(text([...lines.slice(0, i + 1), lines[i] ?? '', ...lines.slice(i + 1)]));
      expect(repeated.problems[0]).toMatchObject({ sequence: i, line: i + 2 });

      if (i < 5) {
        const swapped = await verdictOn(
          text([...lines.slice(0, i), lines[i + 1] ?? '', lines[i] ?? '', ...lines.slice(i + 2)]),
        );
        expect(swapped.problems.map(({ sequence, line }) => [sequence, line])).toEqual(
          expect.arrayContaining([
            [i, i + 1],
            [i, i + 2],
          ]),
        );
      }
    }
  });

  test('a record replaced together with its hash', async () => {
    const { hash: _, ...content } = auditRecord.parse(JSON.parse(lines[2] ?? ''));
    const forged = { ...content, subject: 'another' };
    const verdict = await verdictOn(
      text(lines.map((line, i) => (i === 2 ? canonicalJson({ ...forged, hash: fingerprint(forged) }) : line))),
    );
    expect(verdict.problems).toMatchObject([{ sequence: 3, line: 4 }]);
  });

  test('a whole chain made anew', async () => {
    let previous = '0'.repeat(64);
    const forged = lines.map((line) => {
      const { hash: _, ...content } = auditRecord.parse(JSON.parse(line));
      const record = { ...content, at: '2020-01-01T00:00:00.000Z', previous };
      previous = fingerprint(record);
      return canonicalJson({ ...record, hash: previous });
    });
    expect((await verdictOn(text(forged))).problems).toMatchObject([{ sequence: 5, line: null }]);
    const last = lines[5] ?? '';
    const { hash, sequence } = auditRecord.parse(JSON.parse(last));
    const added = {
      sequence: sequence + 1,
      at: at.toISOString(),
      kind: 'capture',
      subject: 'x',
      content: {},
      previous: hash,
    };
    const longer = await verdictOn(text([...lines, canonicalJson({ ...added, hash: fingerprint(added) })]));
    expect(longer.problems).toMatchObject([{ sequence: 6, message: expect.stringContaining('after the signed head') }]);
  });

  test('a log cut at any record or in the middle of one', async () => {
    for (let kept = 0; kept < lines.length; kept++) {
      const cut = await verdictOn(kept === 0 ? '' : text(lines.slice(0, kept)));
      expect(cut.problems[0]).toMatchObject({ sequence: kept, line: null });
      const torn = await verdictOn(`${text(lines.slice(0, kept))}${lines[kept]?.slice(0, 30)}`.trimStart());
      expect(torn.problems[0]).toMatchObject({ sequence: kept, line: kept + 1 });
    }
  });

  test('an older state put back, by a witness; another key, by the key that was noted', async () => {
    const older = await copy();
    const { head, publicKey } = await verifyAudit({ root: older.root });
    const grown = await add(older.root, 6);
    const known = { publicKey: publicKey ?? '', witness: { sequence: 6, hash: grown.hash } };
    expect((await verifyAudit({ root: older.root, ...known })).problems).toEqual([]);
    expect((await verifyAudit({ root: older.root, witness: head ?? { sequence: -1, hash: '' } })).problems).toEqual([]);
    expect((await verifyAudit({ root: original, ...known })).problems).toMatchObject([{ sequence: 6 }]);

    const other = join(scratch, 'other-key');
    for (let i = 0; i < 6; i++) await add(other, i);
    expect((await verifyAudit({ root: other, publicKey: publicKey ?? '' })).problems).toMatchObject([
      { message: expect.stringContaining('another key') },
    ]);
  });
});

describe('goes on', () => {
  test('after a write that was interrupted at any byte, with the record that was being written', async () => {
    const last = Buffer.from(`${lines[5]}\n`);
    const before = Buffer.from(text(lines.slice(0, 5)));
    const place = await copy();
    const head = await readFile(place.head);
    for (const kept of [0, 1, 17, last.length - 2, last.length - 1]) {
      await writeFile(place.head, head);
      await writeFile(place.log, Buffer.concat([before, last.subarray(0, kept)]));
      expect((await verifyAudit({ root: place.root })).problems).not.toEqual([]);
      expect((await add(place.root, 6)).sequence).toBe(6);
      expect(await verifyAudit({ root: place.root })).toMatchObject({ records: 7, problems: [] });
      expect((await readFile(place.log)).subarray(0, before.length + last.length)).toEqual(
        Buffer.concat([before, last]),
      );
    }
  });

  test('but not on a log that ends in anything else', async () => {
    const refused = { code: 'audit-broken' };
    const place = await copy();
    for (const damaged of [text(lines.slice(0, 4)), `${text(lines)}x`, `${text(lines.slice(0, 5))}x`, '']) {
      await writeFile(place.log, damaged);
      await expect(add(place.root, 6)).rejects.toMatchObject(refused);
      expect(await readFile(place.log, 'utf8')).toBe(damaged);
    }
    await writeFile(place.log, text(lines));
    await unlink(place.head);
    await expect(add(place.root, 6)).rejects.toMatchObject(refused);
    expect((await verifyAudit({ root: place.root })).problems).toMatchObject([
      { file: 'head.json', message: 'the file is missing' },
    ]);
    const keyless = await copy();
    await unlink(join(keyless.root, 'audit', 'key'));
    await expect(add(keyless.root, 6)).rejects.toMatchObject({ code: 'audit-key-missing' });
  });
});

/** A process that adds records to a log and prints the sequence of each that was acknowledged. */
function writer(root: string, name: string, records: number): ChildProcess {
  const program = `
    import { appendAudit } from ${JSON.stringify(join(import.meta.dirname, 'audit-log.ts'))};
    for (let i = 0; i < ${records}; i++) {
      const record = await appendAudit({ root: ${JSON.stringify(root)}, at: new Date(), kind: 'capture', subject: ${JSON.stringify(name)} + i, content: 'x'.repeat(i * 700) });
      process.stdout.write(record.sequence + ' ' + record.hash + '\\n');
    }`;
  return spawn(process.execPath, ['--input-type=module-typescript', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** Lines a process printed until it ended; killed after so many, when that is asked. */
async function acknowledged(child: ChildProcess, killAfter = Number.POSITIVE_INFINITY): Promise<string[]> {
  let printed = '';
  child.stdout?.setEncoding('utf8').on('data', (piece: string) => {
    printed += piece;
    if (printed.split('\n').length > killAfter) child.kill('SIGKILL');
  });
  await new Promise((done) => child.once('close', done));
  return printed.split('\n').slice(0, -1);
}

describe('several processes', () => {
  test('write one chain', async () => {
    const root = join(scratch, 'several');
    const answers = await Promise.all(['a', 'b', 'c'].map((name) => acknowledged(writer(root, name, 12))));
    const records = await recordsOf(root);
    expect(await verifyAudit({ root })).toMatchObject({ records: 36, problems: [] });
    expect(answers.flat().sort()).toEqual(records.map(({ sequence, hash }) => `${sequence} ${hash}`).sort());
  });

  test('killed at any moment lose nothing that was acknowledged, and leave no lock', async () => {
    const root = join(scratch, 'killed');
    const random = randomStream(7);
    const kept: string[] = [];
    for (let round = 0; round < 2; round++) {
      const pair = ['a', 'b'].map((name) => acknowledged(writer(root, `${name}${round}-`, 1000), 2 + random.below(9)));
      kept.push(...(await Promise.all(pair)).flat());
    }
    const end = await add(root, 0);
    const records = await recordsOf(root);
    const present = new Set(records.map(({ sequence, hash }) => `${sequence} ${hash}`));
    expect(kept.length).toBeGreaterThan(4);
    expect(kept.filter((line) => !present.has(line))).toEqual([]);
    expect(records.at(-1)).toEqual(end);
    expect((await verifyAudit({ root })).problems).toEqual([]);
  });
});

describe('the separate program', () => {
  const run = async (root: string, ...more: string[]): Promise<{ code: number; out: string }> => {
    const program = join(import.meta.dirname, 'verify-audit.ts');
    try {
      const { stdout } = await promisify(execFile)(process.execPath, [program, join(root, 'audit'), ...more]);
      return { code: 0, out: stdout };
    } catch (error) {
      const failed = error as { code: number; stdout: string };
      return { code: failed.code, out: failed.stdout };
    }
  };

  test('agrees', async () => {
    expect(await run(original)).toEqual({ code: 0, out: '6 records, 0 problems\n' });
    const place = await copy();
    await writeFile(place.log, text(lines.map((line, i) => (i === 3 ? line.replace('answer-3', 'answer-4') : line))));
    const altered = await run(place.root, 'another key');
    expect(altered.code).toBe(1);
    expect(altered.out).toBe(
      'line 4: the record does not have the hash it states\nhead.json: signed with another key\n6 records, 2 problems\n',
    );
  });
});
