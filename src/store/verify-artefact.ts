import { join } from 'node:path';
import { fingerprint } from '../core/fingerprint.ts';
import { type Lineage, lineage } from '../schema/lineage.ts';
import { hashFile, listFiles, readTextIfThere } from './files/files.ts';
import type { Artefact } from './store.ts';

export const lineageFile = 'lineage.json';
/** Stands in the folder of a run until it is sealed: what decides its result, and who works on it. */
export const runMarkerFile = '.run.json';

/** The bytes of `lineage.json`. */
export function lineageText(document: Lineage): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}

/**
 * Reads the artefact again from the disk and recomputes every hash: of each file, and of the lineage itself. Files
 * that the lineage does not know are a problem too.
 */
export async function verifyArtefact(artefact: Artefact): Promise<readonly string[]> {
  const text = await readTextIfThere(join(artefact.folder, lineageFile));
  if (text === undefined) return [`${lineageFile} is missing`];
  const read = parseLineage(text);
  if (read === undefined) return [`${lineageFile} is damaged`];
  const problems: string[] = [];
  const { fingerprint: stated, ...content } = read;
  if (text !== lineageText(read)) problems.push(`${lineageFile} is not written as it was committed`);
  if (fingerprint(content) !== stated) problems.push(`${lineageFile} was altered: its fingerprint is another`);
  else if (stated !== artefact.lineage.fingerprint) problems.push(`${lineageFile} is of another artefact`);
  if (read.kind !== artefact.kind || read.address !== artefact.address)
    problems.push(`${lineageFile} says that this is ${read.kind} ${read.address}`);
  const present = new Set(await listFiles(artefact.folder));
  present.delete(lineageFile);
  // Left behind when a run was sealed and the process died at that moment.
  if (read.kind === 'run') present.delete(runMarkerFile);
  for (const [file, expected] of Object.entries(read.files)) {
    if (!present.delete(file)) problems.push(`${file} is missing`);
    else if ((await hashFile(join(artefact.folder, file))) !== expected) problems.push(`${file} was altered`);
  }
  for (const file of present) problems.push(`${file} was added`);
  return problems;
}

export function parseLineage(text: string): Lineage | undefined {
  try {
    return lineage.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
