import { MartletError } from '../../core/error.ts';
import { fingerprint } from '../../core/fingerprint.ts';
import type { AuditRecord } from '../../schema/audit.ts';
import type { Json } from '../../schema/common.ts';
import { type AuditVerdict, formatAuditProblem, verifyAudit } from '../audit/audit-log.ts';
import { type CapturePlace, captureFile, findCapture } from '../audit/captures.ts';
import type { Store } from '../store.ts';
import { addJudgement, visitFeedback, visitReports } from './aftermath.ts';
import { visitArtefact } from './artefacts.ts';
import type { CheckRowsOptions, TracedRow } from './rows.ts';
import { addHop, type Hop, member, type Walk } from './walk.ts';

export type { Hop, HopKind } from './walk.ts';

export interface Trace {
  readonly answer: string;
  /** Every link is there and every hash on the way, recomputed just now, is what it was. */
  readonly complete: boolean;
  readonly hops: readonly Hop[];
  /** Rows of steps that the answering model was computed in, the first of them in the order of the shards. */
  readonly rows: readonly TracedRow[];
  /** How many there are in all. */
  readonly rowCount: number;
  /** How many its shards hold to train on: more where the run, or the checkpoint taken from it, ends before it comes to all. */
  readonly shardRowCount: number;
}

export interface TraceOptions {
  /** How many rows to show. Every row is checked whatever this is. 5 when absent. */
  readonly rows?: number;
  /** For datasets that do not keep their rows. */
  readonly madeRows?: CheckRowsOptions['madeRows'];
}

/**
 * Walks from an answer to the lines of the source files that taught it, along the inputs every artefact states, and
 * recomputes every hash on the way. Also walks what came of the answer (judgements, feedback) and what was measured of
 * its model (reports).
 * @throws MartletError `answer-missing` when there is no trace of such an answer.
 */
export async function traceAnswer(store: Store, answerId: string, options: TraceOptions = {}): Promise<Trace> {
  const records: AuditRecord[] = [];
  const recorded = new Map<string, Json>();
  const audit = await verifyAudit({
    root: store.root,
    visit: (record) => {
      if (record.kind === 'judgement') {
        if (record.subject === answerId) records.push(record);
      } else recorded.set(record.kind === 'capture' ? `answer ${record.subject}` : record.subject, record.content);
    },
  });
  const walk: Walk = {
    store,
    hops: [],
    visited: new Map(),
    recorded,
    bases: new Map(),
    datasets: new Set(),
    trained: new Map(),
    madeRows: options.madeRows,
    shownRows: options.rows ?? 5,
    rows: [],
    rowCount: 0,
    shardRowCount: 0,
  };
  await visitAnswer(walk, answerId);
  for (const record of records) addJudgement(walk, record);
  await visitFeedback(walk, answerId);
  await visitReports(walk);
  addAudit(walk, audit);
  const hops = walk.hops.map((hop) => ({ ...hop, ok: hop.problems.length === 0 }));
  return {
    answer: answerId,
    complete: hops.every((hop) => hop.ok),
    hops,
    rows: walk.rows,
    rowCount: walk.rowCount,
    shardRowCount: walk.shardRowCount,
  };
}

async function visitAnswer(walk: Walk, answerId: string): Promise<void> {
  const { store } = walk;
  const record = member(walk.recorded.get(`answer ${answerId}`));
  let place: CapturePlace;
  try {
    place = await findCapture(store.root, answerId);
  } catch (error) {
    if (!MartletError.is(error) || record === undefined) throw error;
    // The audit log knows the answer, so its line was damaged or taken away; the rest can be walked all the same.
    const deployment = String(record.deployment);
    const file = captureFile(store.root, deployment);
    const problem = error.code === 'answer-missing' ? `${file} holds no ${answerId} any more` : error.message;
    addHop(walk, { kind: 'answer', address: answerId, parent: null, problems: [problem] });
    await visitArtefact(walk, { kind: 'deployment', address: deployment, expected: null, parent: 0 });
    return;
  }
  const { capture } = place;
  const hop = addHop(walk, {
    kind: 'answer',
    address: answerId,
    parent: null,
    fingerprint: fingerprint(capture),
    facts: { model: capture.model, at: capture.at, answer: capture.answer, finishReason: capture.finishReason },
  });
  const where = `${place.file}:${place.line}`;
  if (!place.asWritten) hop.problems.push(`${where} is not written as it was captured`);
  if (record === undefined) hop.problems.push(`${where} is not recorded in the audit log`);
  else if (record.fingerprint !== hop.fingerprint) hop.problems.push(`${where} was altered: the audit log has another`);
  if (fingerprint(capture.request) !== capture.requestDigest)
    hop.problems.push(`${where} holds another request than was digested`);
  await visitArtefact(walk, {
    kind: 'deployment',
    address: capture.deployment,
    expected: capture.deploymentFingerprint,
    parent: 0,
    capture,
  });
}

function addAudit(walk: Walk, audit: AuditVerdict): void {
  addHop(walk, {
    kind: 'audit',
    address: 'audit/log.jsonl',
    parent: null,
    fingerprint: audit.head?.hash ?? null,
    problems: audit.problems.map((problem) => `audit/${formatAuditProblem(problem)}`),
    facts: { records: audit.records, publicKey: audit.publicKey },
  });
}
