import { artefactKinds } from '../schema/lineage.ts';
import { readAudit } from './audit/audit-log.ts';
import { artefactSubject } from './open-store.ts';
import type { Store } from './store.ts';

export interface ArtefactsVerdict {
  /** How many were read again. */
  readonly artefacts: number;
  /** One line each: what was altered, added or removed, and where. Empty when all is as it was committed. */
  readonly problems: readonly string[];
}

/**
 * Holds every artefact of a store against the audit log: each recorded one is there, with the fingerprint that was
 * recorded last, and every byte of it hashes as its lineage says. Reads the whole store.
 * @throws MartletError `audit-broken` when the log itself cannot be read.
 */
export async function verifyArtefacts(store: Store): Promise<ArtefactsVerdict> {
  const recorded = new Map<string, string>();
  for await (const { kind, subject, content } of readAudit(store.root))
    if ((kind === 'artefact' || kind === 'feedback') && isFingerprint(content))
      recorded.set(subject, content.fingerprint);
  const problems: string[] = [];
  let artefacts = 0;
  for (const kind of artefactKinds)
    for (const artefact of await store.list(kind)) {
      artefacts++;
      const subject = artefactSubject(kind, artefact.address);
      const expected = recorded.get(subject);
      recorded.delete(subject);
      const found = [...(await store.verify(artefact))];
      if (expected === undefined) found.push('is not in the audit log');
      else if (expected !== artefact.lineage.fingerprint) found.push('is not the one that the audit log records');
      problems.push(...found.map((problem) => `${subject}: ${problem}`));
    }
  for (const subject of recorded.keys())
    problems.push(`${subject}: is not there, or cannot be read; it was removed, or making it was cut off`);
  return { artefacts, problems };
}

function isFingerprint(content: unknown): content is { readonly fingerprint: string } {
  return (
    typeof content === 'object' &&
    content !== null &&
    'fingerprint' in content &&
    typeof content.fingerprint === 'string'
  );
}
