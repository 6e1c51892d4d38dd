import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface DiskWatch {
  /** The most that stood there at once, in bytes, whenever it was looked. */
  readonly most: () => number;
  readonly stop: () => void;
}

/** Looks again and again at what files below some folders take. What vanishes while it looks counts as gone. */
export function watchDisk(folders: readonly string[]): DiskWatch {
  let most = 0;
  const look = (): void => {
    most = Math.max(most, bytesBelow(folders));
  };
  const timer = setInterval(look, 15);
  return {
    most: () => most,
    stop() {
      look();
      clearInterval(timer);
    },
  };
}

/** Bytes of all files below folders; links are what they are, not what they lead to. */
export function bytesBelow(folders: readonly string[]): number {
  let sum = 0;
  const walk = (path: string): void => {
    try {
      for (const entry of readdirSync(path, { withFileTypes: true })) {
        const inside = join(path, entry.name);
        if (entry.isDirectory()) walk(inside);
        else if (entry.isFile()) sum += statSync(inside).size;
      }
    } catch {
      // It is gone.
    }
  };
  for (const folder of folders) walk(folder);
  return sum;
}
