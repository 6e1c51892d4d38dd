import { MartletError } from '../../core/error.ts';
import { textRowKinds } from '../../schema/recipe.ts';
import { reopenPart } from '../rows/open-parts.ts';
import type { RawRow } from '../rows/raw-rows.ts';
import { fileKind } from '../rows/read-rows.ts';

/** Where a row is said to stand, and the hash of its bytes there. */
export interface RowPlace {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly sha256: string;
}

/** Rows that are looked up together. */
const rowsTogether = 2 ** 13;

/**
 * Looks rows up in the files they are said to stand in, so many at a time. A file is read once where its rows come in its
 * order, and again from its beginning where they do not. Memory: the rows of one time.
 * @param onMissing told of each row that does not stand at its line with its hash
 */
export function sourceLookup<Place extends RowPlace>(onMissing: (place: Place) => void, together = rowsTogether) {
  const reels = new Map<string, Reel>();
  let waiting: Place[] = [];

  const lookUpAll = async (): Promise<void> => {
    const byFile = Map.groupBy(waiting, ({ file }) => file);
    waiting = [];
    for (const [key, reel] of reels)
      if (!byFile.has(reel.file)) {
        reels.delete(key);
        await reel.close();
      }
    for (const [file, places] of byFile) for (const place of await missing(file, places)) onMissing(place);
  };

  async function missing(file: string, places: readonly Place[]): Promise<Iterable<Place>> {
    const part = reopenPart(file);
    // The rows of a plug-in are not looked up: what they hang on is not written down here.
    if (!part) return [];
    const left = new Set(places);
    try {
      // What one row of a text was stands in the recipe alone; its hash tells.
      for (const textRows of fileKind(file) === 'text' ? textRowKinds : textRowKinds.slice(0, 1)) {
        if (left.size === 0) break;
        const lines = Map.groupBy(left, ({ line }) => line);
        const key = `${textRows} ${file}`;
        const [first, last] = extent(lines.keys());
        let reel = reels.get(key);
        if (!reel || reel.line === null || reel.line > first) {
          await reel?.close();
          reel = await openReel(file, part.read({ textRows }));
          reels.set(key, reel);
        }
        // Several rows of a JSON array may begin on one line.
        for (; reel.line !== null && reel.line <= last; await reel.advance())
          for (const place of lines.get(reel.line) ?? []) if (place.sha256 === reel.sha256) left.delete(place);
      }
    } catch (error) {
      // Unreadable now: then none of its rows can be shown.
      if (!MartletError.is(error)) throw error;
      return places;
    }
    return left;
  }

  return {
    async add(place: Place): Promise<void> {
      waiting.push(place);
      if (waiting.length >= together) await lookUpAll();
    },
    /** Looks up what is left. */
    async finish(): Promise<void> {
      await lookUpAll();
      for (const reel of reels.values()) await reel.close();
    },
  };
}

/** A file that is read forwards, and the row at which it is. */
interface Reel {
  readonly file: string;
  /** Null behind the last. */
  readonly line: number | null;
  readonly sha256: string;
  advance(): Promise<void>;
  close(): Promise<void>;
}

async function openReel(file: string, rows: AsyncIterable<RawRow>): Promise<Reel> {
  const iterator = rows[Symbol.asyncIterator]();
  const reel = {
    file,
    line: null as number | null,
    sha256: '',
    async advance() {
      const { value, done } = await iterator.next();
      reel.line = done ? null : value.line;
      reel.sha256 = done ? '' : value.sha256;
    },
    async close() {
      await iterator.return?.();
    },
  };
  await reel.advance();
  return reel;
}

function extent(numbers: Iterable<number>): readonly [number, number] {
  let [first, last] = [Number.POSITIVE_INFINITY, 0];
  for (const number of numbers) {
    first = Math.min(first, number);
    last = Math.max(last, number);
  }
  return [first, last];
}
