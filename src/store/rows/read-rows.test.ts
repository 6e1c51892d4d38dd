import { hash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, describe, expect, test } from 'vitest';
import type { RawRow } from './raw-rows.ts';
import { type ReadRowsOptions, readRows } from './read-rows.ts';

const folder = mkdtempSync(join(tmpdir(), 'martlet-rows-'));
afterAll(() => rmSync(folder, { recursive: true }));

const save = (name: string, content: string | Uint8Array): string => {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
};

async function rowsOf(name: string, content: string | Uint8Array, options: ReadRowsOptions = {}): Promise<RawRow[]> {
  const rows: RawRow[] = [];
  for await (const row of readRows(save(name, content), options))
    rows.push({ ...row, bytes: row.bytes && Buffer.from(row.bytes) });
  return rows;
}

const texts = async (...request: Parameters<typeof rowsOf>): Promise<string[]> =>
  (await rowsOf(...request)).map(
    ({ bytes, line, problem }) => `${line} ${problem === null ? bytes : JSON.stringify(problem)}`,
  );

describe('tables', () => {
  test("take Excel's word on the separator for no header", async () => {
    expect(await texts('sep.csv', '\ufeffsep=;\r\na;b\r\n1;"x;y"\r\n')).toEqual(['3 {"a":"1","b":"x;y"}']);
    expect(await texts('sep-later.csv', 'a,b\nsep=;,2\n')).toEqual(['2 {"a":"sep=;","b":"2"}']);
  });

  test('are told apart from spreadsheets, and from text of two bytes a character', async () => {
    await expect(rowsOf('sheet.xlsx', 'PK\u0003\u0004...')).rejects.toMatchObject({ hint: 'Save it as CSV or JSON.' });
    const wide = Buffer.from('question,answer\nWhat?,That.\n', 'utf16le');
    await expect(rowsOf('le.csv', wide)).rejects.toMatchObject({
      code: 'source-unsupported',
      message: expect.stringMatching(/looks like UTF-16LE/),
      hint: 'Convert it: iconv -f UTF-16LE -t UTF-8.',
    });
    await expect(rowsOf('be.jsonl', wide.swap16())).rejects.toThrow(/looks like UTF-16BE/);
  });

  test('name their columns by the first line, and keep line ends and quotes inside quotes', async () => {
    const text = '\ufeffa,"b ""x"""\r\n1,"two\r\nlines, ""quoted"""\r\n\r\n,last';
    expect(await texts('a.csv', text)).toEqual([
      '2 {"a":"1","b \\"x\\"":"two\\r\\nlines, \\"quoted\\""}',
      '5 {"a":"","b \\"x\\"":"last"}',
    ]);
  });

  test('are the same however their bytes are cut, and each row is the piece of the file it says', async () => {
    const text = 'a,b\n"x\n,""y",ü\r\nz,\n\n"",""\n';
    const whole = await rowsOf('b.csv', text);
    for (let chunkBytes = 1; chunkBytes < 12; chunkBytes++)
      expect(await rowsOf('b.csv', text, { chunkBytes })).toEqual(whole);
    const bytes = Buffer.from(text);
    for (const { offset, length, sha256 } of whole)
      expect(hash('sha256', bytes.subarray(offset, offset + length))).toBe(sha256);
    expect(whole).toHaveLength(3);
  });

  test('are cut at tabs or semicolons where that is how they are written', async () => {
    expect(await texts('a.tsv', 'a\tb\n1,5\t"x\ty"\n\t\n')).toEqual(['2 {"a":"1,5","b":"x\\ty"}', '3 {"a":"","b":""}']);
    expect(await texts('semi.csv', 'a;b\n1,5;2\n')).toEqual(['2 {"a":"1,5","b":"2"}']);
    expect(await texts('one.csv', 'text\na;b\n')).toEqual(['2 {"text":"a;b"}']);
  });

  test('hold lists where a column can hold nothing else, and verdicts; all else stays text', async () => {
    const text = 'messages,label,output\n"[{""role"":""user""}]",1.0,"{""a"":1}"\n[broken,TRUE,7\n';
    expect(await texts('typed.csv', text)).toEqual([
      '2 {"messages":[{"role":"user"}],"label":1.0,"output":"{\\"a\\":1}"}',
      '3 {"messages":"[broken","label":true,"output":"7"}',
    ]);
  });

  test('tell of rows whose fields do not fit, quotes that are broken and bytes that are no text', async () => {
    const bad = Buffer.concat([
      Buffer.from('a,b\n1\n"x" y,2\nfine,3\n'),
      Buffer.from([0xff]),
      Buffer.from(',4\n"open\nand on,5\n'),
    ]);
    const rows = await rowsOf('bad.csv', bad);
    expect(rows.map(({ line, problem }) => [line, typeof problem === 'object' ? problem?.code : problem])).toEqual([
      [2, 'field-count'],
      [3, 'bad-quoting'],
      [4, undefined],
      [5, undefined],
      [6, 'bad-quoting'],
    ]);
    expect(rows[3]?.bytes?.[0]).toBe(0xff);
    expect(rows[4]?.problem).toMatchObject({
      message: 'a quoted field that begins on line 6 is never closed.',
      linesBelow: 0,
    });
  });

  test.each([
    ['a,a\n', /csv:1 the column "a" is named twice/],
    ['"a\n', /csv:1 the quoting of the first line is broken/],
    [Buffer.from([0xc3, 0x28, 0x0a]), /first line is not UTF-8/],
  ])('are refused when their first line cannot name columns: %j', async (text, message) => {
    await expect(rowsOf('head.csv', text)).rejects.toThrow(message);
  });

  test('a row longer than the limit is told of and passed over', async () => {
    const rows = await rowsOf('long.csv', `a\n${'x'.repeat(200)}\nshort\n`, { maxRowBytes: 100, chunkBytes: 7 });
    expect(rows.map(({ line, problem, length }) => [line, problem, length])).toEqual([
      [2, 'too-long', 200],
      [3, null, 5],
    ]);
  });
});

describe('texts', () => {
  const text = 'One\nmore\n\n \nTwo\r\nlines\n\n\nThree';
  test.each([
    ['file', [`1 ${JSON.stringify({ text })}`]],
    ['paragraph', ['1 {"text":"One\\nmore"}', '5 {"text":"Two\\r\\nlines"}', '9 {"text":"Three"}']],
    ['line', ['1 One', '2 more', '5 Two', '6 lines', '9 Three'].map((row) => `${row[0]} {"text":"${row.slice(2)}"}`)],
  ] as const)('give rows by %s', async (textRows, expected) => {
    for (const chunkBytes of [1, 3, 100]) expect(await texts('a.md', text, { textRows, chunkBytes })).toEqual(expected);
    const bytes = Buffer.from(text);
    for (const { offset, length, sha256 } of await rowsOf('a.md', text, { textRows }))
      expect(hash('sha256', bytes.subarray(offset, offset + length))).toBe(sha256);
  });

  test('leave a byte order mark out, and bytes that are no text to be named', async () => {
    expect(await texts('bom.txt', '\ufeffhi')).toEqual(['1 {"text":"hi"}']);
    expect((await rowsOf('bad.txt', Buffer.from([0x68, 0xff])))[0]?.bytes).toEqual(Buffer.from([0x68, 0xff]));
    expect(await texts('empty.txt', '')).toEqual([]);
  });
});

describe('packed files', () => {
  const lines = Array.from({ length: 2000 }, (_, index) => JSON.stringify({ index })).join('\n');
  const pack = {
    gz: gzipSync,
    zst: (text: string) => zstdCompressSync(text, { params: { [constants.ZSTD_c_checksumFlag]: 1 } }),
  } as const;

  test.each(['gz', 'zst'] as const)(
    '.%s gives the rows of what is inside, one member after the other',
    async (kind) => {
      const plain = await rowsOf('plain.jsonl', lines);
      expect(await rowsOf(`a.jsonl.${kind}`, pack[kind](lines))).toEqual(plain);
      const halves = [lines.slice(0, 700), lines.slice(700)].map((half) => pack[kind](half));
      expect(await rowsOf(`two.jsonl.${kind}`, Buffer.concat(halves))).toEqual(plain);
      expect(await texts(`a.csv.${kind}`, pack[kind]('a\n1\n'))).toEqual(['2 {"a":"1"}']);
    },
  );

  test.each(['gz', 'zst'] as const)('.%s that was cut off names the byte', async (kind) => {
    const whole = pack[kind](lines);
    const cut = whole.subarray(0, whole.length - 40);
    await expect(rowsOf(`cut.jsonl.${kind}`, cut)).rejects.toMatchObject({
      code: 'source-damaged',
      message: expect.stringContaining(
        `is cut off: its ${kind === 'gz' ? 'gzip' : 'Zstandard'} stream ends at byte ${cut.length}`,
      ),
    });
  });

  test.each(['gz', 'zst'] as const)('.%s that is damaged says so', async (kind) => {
    const damaged = Buffer.from(pack[kind](lines));
    damaged.fill(0x55, damaged.length >> 1, (damaged.length >> 1) + 30);
    await expect(rowsOf(`bad.jsonl.${kind}`, damaged)).rejects.toMatchObject({ code: 'source-damaged' });
  });

  test.each([
    ['a.jsonl.gz', gzipSync(gzipSync('{}')), /gzip file inside another/],
    ['a.parquet.gz', gzipSync('PAR1xxxxxxxxx'), /packed Parquet/],
    ['a.jsonl', Buffer.from('BZh91AY'), /bzip2/],
    ['a.db', Buffer.from('SQLite format 3\0'), /SQLite/],
  ])('%s of what cannot be read is refused', async (name, content, message) => {
    await expect(rowsOf(name, content)).rejects.toThrow(message);
  });

  test('a share reads the rows at the beginning alone', async () => {
    const plain = await rowsOf('share.jsonl', lines, { share: 0.25 });
    expect(plain.length).toBeGreaterThan(450);
    expect(plain.length).toBeLessThan(600);
    expect((await rowsOf('share.jsonl', lines)).length).toBe(2000);
  });
});

describe('Parquet', () => {
  const parquet = (rows: number, options: object = {}): Buffer =>
    Buffer.from(
      parquetWriteBuffer({
        columnData: [
          {
            name: 'text',
            data: Array.from({ length: rows }, (_, index) => (index % 3 === 0 ? null : `row ${index}`)),
            type: 'STRING',
          },
          { name: 'whole', data: Array.from({ length: rows }, (_, index) => index), type: 'DOUBLE' },
          { name: 'big', data: Array.from({ length: rows }, (_, index) => 2n ** 60n + BigInt(index)), type: 'INT64' },
        ],
        rowGroupSize: 4,
        ...options,
      }),
    );

  test('gives rows with row group and number; floats keep their point, big numbers all their digits', async () => {
    const rows = await rowsOf('a.parquet', parquet(6));
    expect(rows.map(({ line, rowGroup }) => [line, rowGroup])).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
      [4, 1],
      [5, 2],
      [6, 2],
    ]);
    expect(String(rows[4]?.bytes)).toBe('{"text":"row 4","whole":4.0,"big":1152921504606846980}');
    expect(String(rows[3]?.bytes)).toBe('{"text":null,"whole":3.0,"big":1152921504606846979}');
    expect(rows.every(({ sha256, bytes }) => sha256 === hash('sha256', bytes ?? ''))).toBe(true);
  });

  test('is found by its first bytes, and read in shares and with a limit for a row', async () => {
    expect(await rowsOf('no-ending', parquet(8), { share: 0.5 })).toHaveLength(4);
    expect((await rowsOf('tight.parquet', parquet(2), { maxRowBytes: 20 }))[0]).toMatchObject({
      bytes: null,
      problem: 'too-long',
    });
  });

  test('names the column and row group that are damaged', async () => {
    const bytes = parquet(8);
    const at = bytes.indexOf('row 4');
    bytes.fill(0xee, at - 12, at - 2);
    await expect(rowsOf('damaged.parquet', bytes)).rejects.toMatchObject({
      code: 'parquet-damaged',
      message: expect.stringMatching(/column text of row group 2/),
    });
  });

  test('names the row whose text is not UTF-8', async () => {
    const bytes = parquet(3, { codec: 'UNCOMPRESSED' });
    bytes[bytes.indexOf('row 2')] = 0xff;
    const rows = await rowsOf('latin.parquet', bytes);
    expect(rows.map(({ problem }) => problem)).toEqual([
      null,
      null,
      { code: 'not-utf8', message: 'the text of text is not UTF-8.', fix: expect.any(String) },
    ]);
  });

  test.each([
    ['cut', (bytes: Buffer) => bytes.subarray(0, bytes.length - 3), /does not end as one/],
    ['short', (bytes: Buffer) => bytes.subarray(0, 7), /does not end as one/],
    ['gone', (bytes: Buffer) => Buffer.concat([bytes.subarray(0, 4), bytes.subarray(-200)]), /./],
  ] as const)('is refused when it is %s', async (_, change, message) => {
    await expect(rowsOf('broken.parquet', change(parquet(8)))).rejects.toMatchObject({
      code: 'parquet-damaged',
      message: expect.stringMatching(message),
    });
  });
});
