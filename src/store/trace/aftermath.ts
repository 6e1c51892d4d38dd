import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MartletError } from '../../core/error.ts';
import { type AuditRecord, judgement } from '../../schema/audit.ts';
import type { Json } from '../../schema/common.ts';
import type { ArtefactKind } from '../../schema/lineage.ts';
import { readJsonLines } from '../files/files.ts';
import { artefactSubject } from '../open-store.ts';
import type { Artefact } from '../store.ts';
import { visitArtefact } from './artefacts.ts';
import { addHop, member, type Walk } from './walk.ts';

export function addJudgement(walk: Walk, record: AuditRecord): void {
  const read = judgement.safeParse(record.content);
  addHop(walk, {
    kind: 'judgement',
    address: `audit/log.jsonl#${record.sequence}`,
    parent: 0,
    fingerprint: record.hash,
    problems: read.success ? [] : [`record ${record.sequence} of the audit log holds no judgement`],
    facts: read.success
      ? {
          verdict: read.data.verdict,
          by: read.data.by,
          madeBy: read.data.madeBy,
          at: record.at,
          reason: read.data.reason,
        }
      : {},
  });
}

/** Feedback datasets that hold the answer. Of one that was altered nobody can tell any more, so it counts. */
export async function visitFeedback(walk: Walk, answerId: string): Promise<void> {
  if (!walk.hops.some((hop) => hop.kind === 'judgement')) return;
  for (const address of standingAddresses(walk, 'feedback')) {
    const whole = await openWhole(walk, { kind: 'feedback', address });
    if (whole === undefined || (await holdsAnswer(join(whole.folder, 'rows.jsonl'), answerId)))
      await visitArtefact(walk, { kind: 'feedback', address, expected: null, parent: 0, alone: true });
  }
}

async function holdsAnswer(file: string, answerId: string): Promise<boolean> {
  for await (const { value } of readJsonLines(file)) {
    if (member(member(value as Json)?.martlet)?.answer === answerId) return true;
  }
  return false;
}

/** Reports on a run or model that was walked. One of the same name that was altered may be such a report, so it counts. */
export async function visitReports(walk: Walk): Promise<void> {
  const names = new Set(walk.hops.filter((hop) => hop.kind === 'run').map((hop) => nameIn(hop.address)));
  for (const address of standingAddresses(walk, 'report')) {
    const whole = await openWhole(walk, { kind: 'report', address });
    let parent: number | undefined = whole === undefined && names.has(nameIn(address)) ? 0 : undefined;
    for (const input of whole?.lineage.inputs ?? []) {
      if (input.kind === 'run' || input.kind === 'model')
        parent ??= walk.visited.get(artefactSubject(input.kind, input.address));
    }
    if (parent !== undefined)
      await visitArtefact(walk, { kind: 'report', address, expected: null, parent, alone: true });
  }
}

/** An artefact, unless anything of it is not as it was recorded. */
async function openWhole(
  walk: Walk,
  request: { readonly kind: ArtefactKind; readonly address: string },
): Promise<Artefact | undefined> {
  const { kind, address } = request;
  try {
    const artefact = await walk.store.open(kind, address);
    const record = member(walk.recorded.get(artefactSubject(kind, address)));
    const whole =
      record?.fingerprint === artefact.lineage.fingerprint && (await walk.store.verify(artefact)).length === 0;
    return whole ? artefact : undefined;
  } catch (error) {
    if (!MartletError.is(error)) throw error;
    return undefined;
  }
}

/** Addresses of a kind that the audit log knows and that stand in the store, whether or not they can still be read. */
function standingAddresses(walk: Walk, kind: ArtefactKind): string[] {
  const start = artefactSubject(kind, '');
  return [...walk.recorded.keys()]
    .filter((subject) => subject.startsWith(start) && existsSync(join(walk.store.root, subject)))
    .map((subject) => subject.slice(start.length));
}

function nameIn(address: string): string {
  return address.slice(0, address.lastIndexOf('@'));
}
