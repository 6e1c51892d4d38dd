import { hash } from 'node:crypto';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { MartletError } from '../../core/error.ts';
import { type RandomStream, randomStream, streamKey } from '../../core/random.ts';
import { readRows } from './read-rows.ts';
import type { TextRows } from './text-rows.ts';

interface Seed {
  readonly name: string;
  readonly bytes: Buffer;
  /** Whether a row's hash is that of its piece of the file. */
  readonly hasPieces: boolean;
}

/** Of pyarrow 26 (nested, see tests/oracles/rows.py) and of hyparquet-writer (flat). */
const fixtures = fileURLToPath(new URL('./fixtures/', import.meta.url));
const lines = Array.from({ length: 40 }, (_, index) => JSON.stringify({ text: `row ${index} ü`, n: index })).join('\n');
const table = 'messages,label,text\r\n"[{""role"": ""user""}]",1.0,"two\nlines, and ""more"""\nplain,true,ü\n\n,,\n';
const text = '# A title\n\nA paragraph\r\nof two lines – ü\n\n \nThe last';

function seeds(): readonly Seed[] {
  const plain = (name: string, content: string): Seed => ({ name, bytes: Buffer.from(content), hasPieces: true });
  const packed = (name: string, bytes: Buffer): Seed => ({ name, bytes, hasPieces: false });
  const checksum = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };
  return [
    plain('a.csv', table),
    plain('b.csv', table.replaceAll(',', ';')),
    plain('a.tsv', table.replaceAll(',', '\t')),
    plain('a.txt', text),
    plain('a.md', text),
    packed('a.jsonl.gz', gzipSync(lines)),
    packed('b.csv.gz', Buffer.concat([gzipSync(table), gzipSync(table)])),
    packed('a.jsonl.zst', zstdCompressSync(lines, checksum)),
    packed('b.jsonl.zst', Buffer.concat([zstdCompressSync(lines), zstdCompressSync(lines, checksum)])),
    ...globSync('*.parquet', { cwd: fixtures })
      .sort()
      .map((name) => packed(name, readFileSync(join(fixtures, name)))),
  ];
}

const splinters = ['"', '""', ',', '\r', '\n', '\r\n', '\0', '\ufeff', '"\n"', 'PAR1', '(\xb5/\xfd'].map((each) =>
  Buffer.from(each, 'latin1'),
);

/** The bytes of a file with up to three places changed: bits, bytes, pieces lost, doubled or put in. */
function mutated(seed: Buffer, random: RandomStream): Buffer {
  let bytes: Buffer = Buffer.from(seed);
  for (let changes = 1 + random.below(3); changes > 0; changes--) {
    // Half of the changes fall on the end, where a Parquet file describes itself.
    const near = random.below(2) === 0 ? bytes.length : Math.min(bytes.length, 600);
    const at = bytes.length - random.below(near + 1);
    const end = Math.min(bytes.length, at + random.below(20));
    const kind = random.below(7);
    if (kind < 3 && at < bytes.length)
      bytes[at] = kind === 0 ? (bytes[at] ?? 0) ^ (1 << random.below(8)) : random.below(256);
    else if (kind === 3) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
    else if (kind === 4) bytes = Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
    else if (kind === 5) bytes = bytes.subarray(0, at);
    else
      bytes = Buffer.concat([
        bytes.subarray(0, at),
        splinters[random.below(splinters.length)] ?? bytes,
        bytes.subarray(at),
      ]);
  }
  return bytes;
}

const knownErrors = new Set(['csv-header', 'parquet-damaged', 'source-damaged', 'source-unsupported']);
/** A file of a few kilobytes that takes the processor longer than this hangs; the machine's own pauses do not count. */
const hangMs = 5_000;

/**
 * Reads `count` mutated files of every kind but plain JSON. Each must give rows with places and hashes, or an error of ours.
 * @returns how often each error was seen, and rows.
 * @throws at the first mutant that breaks a reader, with its number.
 */
export async function fuzzContainers(options: {
  readonly folder: string;
  readonly seed: number;
  readonly count: number;
}): Promise<Record<string, number>> {
  const seen: Record<string, number> = {};
  const all = seeds();
  for (let index = 0; index < options.count; index++) {
    const random = randomStream(streamKey(options.seed, index));
    const seed = all[index % all.length] as Seed;
    const bytes = mutated(seed.bytes, random);
    const file = join(options.folder, seed.name);
    writeFileSync(file, bytes);
    const started = process.cpuUsage();
    try {
      const what = await outcomeOf({ ...seed, bytes, file, random });
      seen[what] = (seen[what] ?? 0) + 1;
    } catch (cause) {
      throw new Error(`mutant ${index} of seed ${options.seed}, ${seed.name}: ${bytes.toString('base64')}`, { cause });
    }
    const { user, system } = process.cpuUsage(started);
    if ((user + system) / 1000 > hangMs) throw new Error(`mutant ${index} of seed ${options.seed}, ${seed.name} hangs`);
  }
  return seen;
}

async function outcomeOf({
  file,
  bytes,
  hasPieces,
  random,
}: Seed & { file: string; random: RandomStream }): Promise<string> {
  const textRows: TextRows = (['file', 'paragraph', 'line'] as const)[random.below(3)] ?? 'file';
  let rows = 0;
  let last = 0;
  try {
    for await (const row of readRows(file, { textRows, chunkBytes: 1 + random.below(60), maxRowBytes: 4096 })) {
      rows++;
      if (row.line < last || !/^[0-9a-f]{64}$/.test(row.sha256)) throw new Error(`row ${rows} has no place`);
      last = row.line;
      const piece = bytes.subarray(row.offset, row.offset + row.length);
      // A file may have become one of another kind.
      if (hasPieces && bytes.toString('latin1', 0, 4) !== 'PAR1' && hash('sha256', piece) !== row.sha256)
        throw new Error(`row ${rows} is not the piece of the file it says`);
    }
  } catch (error) {
    if (MartletError.is(error) && knownErrors.has(error.code)) return error.code;
    throw error;
  }
  return rows > 0 ? 'rows' : 'none';
}
