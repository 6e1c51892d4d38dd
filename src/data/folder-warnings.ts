import { basename } from 'node:path';
import { folderRemarks } from '../store/rows/open-parts.ts';

/** What of the files of a source that is a folder a person may not have meant. */
export async function folderWarnings(from: string): Promise<readonly string[]> {
  const { passedOver, splits } = await folderRemarks(from);
  const named = `${passedOver.slice(0, 5).join(', ')}${passedOver.length > 5 ? ' ...' : ''}`;
  const name = basename(from);
  return [
    passedOver.length > 0 &&
      `files of the folder ${name} that are not read: ${named}; name one as a source of its own to read it`,
    splits.length > 0 &&
      `the folder ${name} has files of the splits ${splits.join(', ')}, and all are read; for one alone: from: ${name}:${splits[0]}`,
  ].filter((warning) => warning !== false);
}
