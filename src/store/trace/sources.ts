import { resolve } from 'node:path';
import { MartletError } from '../../core/error.ts';
import type { LineageInput } from '../../schema/lineage.ts';
import { hasCode, hashFile } from '../files/files.ts';
import { reopenPart } from '../rows/open-parts.ts';
import { verifyBase } from './base.ts';
import { addHop, type Walk } from './walk.ts';

export async function visitFile(
  walk: Walk,
  request: { readonly input: LineageInput; readonly parent: number },
): Promise<void> {
  const { address, fingerprint: expected } = request.input;
  const subject = `file ${address} ${expected}`;
  if (walk.visited.has(subject)) return;
  walk.visited.set(subject, walk.hops.length);
  const hop = addHop(walk, { kind: 'file', address, parent: request.parent });
  try {
    hop.fingerprint = await hashFile(resolve(address));
    if (hop.fingerprint !== expected) hop.problems.push(`${address} was altered since it was read`);
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'EISDIR')) throw error;
    // Files that are fetched when they are read are held against their hash then, and their rows by being made again.
    const from = walk.hops[request.parent];
    if (from?.kind === 'dataset' && walk.madeRows?.(walk.store.folder('dataset', from.address)))
      hop.facts.checked = false;
    else hop.problems.push(`${address} cannot be read any more`);
  }
}

/** A query is asked again; a plug-in hangs on options and on the world, and its rows are taken as they were read. */
export async function visitRows(
  walk: Walk,
  request: { readonly input: LineageInput; readonly parent: number },
): Promise<void> {
  const { kind, address, fingerprint: expected } = request.input;
  const subject = `${kind} ${address} ${expected}`;
  if (walk.visited.has(subject) || (kind !== 'query' && kind !== 'plugin')) return;
  walk.visited.set(subject, walk.hops.length);
  const hop = addHop(walk, { kind, address, parent: request.parent, fingerprint: expected });
  const part = reopenPart(address);
  if (!part) {
    hop.facts.checked = false;
    return;
  }
  try {
    hop.fingerprint = await part.fingerprint();
    if (hop.fingerprint !== expected) hop.problems.push(`${address} gives other rows than when it was read`);
  } catch (error) {
    if (!MartletError.is(error)) throw error;
    hop.problems.push(`${address} cannot be asked any more: ${error.message}`);
  }
}

export async function visitBase(
  walk: Walk,
  base: { readonly folder: string; readonly address?: string; readonly fingerprint: string; readonly parent: number },
): Promise<void> {
  const subject = `base ${base.fingerprint}`;
  if (walk.visited.has(subject)) return;
  walk.visited.set(subject, walk.hops.length);
  const checked = await verifyBase(base);
  addHop(walk, {
    kind: 'base',
    address: checked.address ?? base.address ?? base.folder,
    parent: base.parent,
    fingerprint: base.fingerprint,
    problems: [...checked.problems],
    facts: { folder: base.folder, ...checked.facts },
  });
}
