import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { createGzip, createZstdCompress } from 'node:zlib';
import { randomStream } from '../core/random.ts';
import { readSources } from './read-sources.ts';
import { chat, dataValues, request, source } from './test-rows.ts';

/** What reading a source took, in a process of its own. */
export interface ReadMemory {
  readonly rows: number;
  readonly invalid: number;
  /** The most memory it held at once. */
  readonly peakBytes: number;
}

/** Reads every row of a source in a process of its own. */
export async function measureReading(from: string): Promise<ReadMemory> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), from], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  for await (const piece of child.stdout) said += piece;
  if (said === '') throw new Error(`reading ${from} ended without a word`);
  return JSON.parse(said) as ReadMemory;
}

/** Writes chats of about `bytes` bytes, as CSV or JSON lines, packed as the name says. */
export async function writeChats(file: string, bytes: number): Promise<void> {
  const isTable = /\.csv/.test(file);
  const pack = /\.gz$/.test(file) ? [createGzip({ level: 1 })] : /\.zst$/.test(file) ? [createZstdCompress()] : [];
  await pipeline([Readable.from(chats(bytes, isTable)), ...pack, createWriteStream(file)]);
}

function* chats(bytes: number, isTable: boolean): Generator<string> {
  const random = randomStream(5);
  if (isTable) yield 'instruction,input,output\n';
  let piece = '';
  for (let written = 0, index = 0; written < bytes; index++) {
    const words = Array.from({ length: 40 + random.below(300) }, () => random.below(1e6).toString(36)).join(' ');
    const row = isTable ? `"question ${index}\n?",,"${words}"` : JSON.stringify(chat(`question ${index}`, words));
    piece += `${row}\n`;
    written += row.length + 1;
    if (piece.length < 2 ** 16) continue;
    yield piece;
    piece = '';
  }
  yield piece;
}

if (import.meta.filename === process.argv[1]) {
  let rows = 0;
  let invalid = 0;
  for await (const { fate } of readSources(request(dataValues([source(process.argv[2] ?? '')])))) {
    rows++;
    if (fate === 'invalid') invalid++;
  }
  // Kibibytes, on every platform.
  const memory: ReadMemory = { rows, invalid, peakBytes: process.resourceUsage().maxRSS * 1024 };
  process.stdout.write(JSON.stringify(memory));
}
