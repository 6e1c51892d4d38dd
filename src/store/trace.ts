import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { MartletError } from '../core/error.ts';
import { fingerprint } from '../core/fingerprint.ts';
import { type AuditRecord, judgement } from '../schema/audit.ts';
import type { Json } from '../schema/common.ts';
import type { Capture } from '../schema/deployment.ts';
import { type ArtefactKind, artefactKinds, type LineageInput } from '../schema/lineage.ts';
import { type AuditVerdict, formatAuditProblem, verifyAudit } from './audit-log.ts';
import { type CapturePlace, captureFile, findCapture } from './captures.ts';
import { hasCode, hashFile, readJsonLines } from './files.ts';
import { artefactSubject } from './open-store.ts';
import { reopenPart } from './rows/open-parts.ts';
import type { Artefact, Store } from './store.ts';
import { verifyBase } from './trace-base.ts';
import { checkDocuments } from './trace-documents.ts';
import {
  type CheckedRows,
  type CheckRowsOptions,
  checkDatasetRows,
  checkShardRows,
  type TracedRow,
} from './trace-rows.ts';

export type HopKind = 'answer' | 'judgement' | ArtefactKind | 'base' | 'file' | 'query' | 'plugin' | 'audit';

/** One thing the answer rests on, or that came of it. */
export interface Hop {
  readonly kind: HopKind;
  readonly address: string;
  /** As recomputed or read; null when it could not be. */
  readonly fingerprint: string | null;
  readonly ok: boolean;
  /** Everything that is not as it was committed; each names the file it is about. */
  readonly problems: readonly string[];
  readonly facts: Readonly<Record<string, Json>>;
  /** Index of the hop that led here; null for the first. */
  readonly parent: number | null;
}

export interface Trace {
  readonly answer: string;
  /** Every link is there and every hash on the way, recomputed just now, is what it was. */
  readonly complete: boolean;
  readonly hops: readonly Hop[];
  /** Rows the answering model learned from, the first of them in the order of the shards. */
  readonly rows: readonly TracedRow[];
  /** How many there are in all. */
  readonly rowCount: number;
}

export interface TraceOptions {
  /** How many rows to show. Every row is checked whatever this is. 5 when absent. */
  readonly rows?: number;
  /** For datasets that do not keep their rows. */
  readonly madeRows?: CheckRowsOptions['madeRows'];
}

interface OpenHop {
  kind: HopKind;
  address: string;
  fingerprint: string | null;
  problems: string[];
  facts: Record<string, Json>;
  parent: number | null;
}

/** What a visit of one artefact needs to know of the whole walk. */
interface Walk {
  readonly store: Store;
  readonly hops: OpenHop[];
  readonly visited: Map<string, number>;
  /** The last fingerprint the audit log records, by subject. */
  readonly recorded: ReadonlyMap<string, Json>;
  /** Folders of base models, by the fingerprint a document gives them. */
  readonly bases: Map<string, string>;
  readonly datasets: Map<string, CheckedRows>;
  readonly madeRows: CheckRowsOptions['madeRows'];
  readonly shownRows: number;
  rows: readonly TracedRow[];
  rowCount: number;
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
    datasets: new Map(),
    madeRows: options.madeRows,
    shownRows: options.rows ?? 5,
    rows: [],
    rowCount: 0,
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
  };
}

function addHop(walk: Walk, hop: Pick<OpenHop, 'kind' | 'address' | 'parent'> & Partial<OpenHop>): OpenHop {
  const added: OpenHop = { fingerprint: null, problems: [], facts: {}, ...hop };
  walk.hops.push(added);
  return added;
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

interface Visit {
  readonly kind: ArtefactKind;
  readonly address: string;
  /** The fingerprint it had when it was used; null when that is not known any more. */
  readonly expected: string | null;
  readonly parent: number | null;
  /** The answer whose deployment this is. */
  readonly capture?: Capture;
  /** Whether what it was made from is left out: for what came after the answer. */
  readonly alone?: boolean;
}

async function visitArtefact(walk: Walk, visit: Visit): Promise<void> {
  const { kind, address, expected, parent } = visit;
  const subject = artefactSubject(kind, address);
  const seen = walk.visited.get(subject);
  const before = seen === undefined ? undefined : walk.hops[seen];
  if (before !== undefined) {
    if (expected !== null && before.fingerprint !== expected)
      before.problems.push(`${subject} is not what ${nameOf(walk, parent)} was made from`);
    return;
  }
  const index = walk.hops.length;
  walk.visited.set(subject, index);
  const hop = addHop(walk, { kind, address, parent });
  let artefact: Artefact;
  try {
    artefact = await walk.store.open(kind, address);
  } catch (error) {
    if (!MartletError.is(error)) throw error;
    hop.problems.push(`${join(walk.store.root, subject)}/lineage.json: ${error.message}`);
    return;
  }
  hop.fingerprint = artefact.lineage.fingerprint;
  for (const problem of await walk.store.verify(artefact)) hop.problems.push(`${subject}/${problem}`);
  // Rows of a feedback dataset are read as a file, so their reader states the hash of that file.
  const known = [hop.fingerprint, kind === 'feedback' ? artefact.lineage.files['rows.jsonl'] : undefined];
  if (expected !== null && !known.includes(expected))
    hop.problems.push(`${subject} is not what ${nameOf(walk, parent)} was made from`);
  const record = member(walk.recorded.get(subject));
  if (record === undefined) hop.problems.push(`${subject} is not recorded in the audit log`);
  else if (record.fingerprint !== hop.fingerprint)
    hop.problems.push(`${subject}/lineage.json is not the one in the audit log`);

  const found = await checkDocuments({ store: walk.store, artefact, capture: visit.capture });
  hop.problems.push(...found.problems);
  Object.assign(hop.facts, found.facts);
  if (visit.alone === true) return;
  for (const base of found.bases) walk.bases.set(base.fingerprint, base.folder);
  for (const input of found.follow) await visitInput(walk, { input, parent: index });
  for (const base of found.bases) await visitBase(walk, { ...base, parent: index });
  if (kind === 'dataset') {
    const rows = await checkDatasetRows(artefact.folder, { madeRows: walk.madeRows });
    walk.datasets.set(address, rows);
    hop.problems.push(...rows.problems.map((problem) => `${subject}/${problem}`));
    hop.facts.rows = rows.byId.size;
  }
  if (kind === 'shards') await visitShardRows(walk, { artefact, hop });
}

async function visitShardRows(
  walk: Walk,
  request: { readonly artefact: Artefact; readonly hop: OpenHop },
): Promise<void> {
  const { artefact, hop } = request;
  const dataset = artefact.lineage.inputs.find((input) => input.kind === 'dataset');
  const rows = dataset && walk.datasets.get(dataset.address);
  // That the dataset is missing has been said where it was looked for.
  if (rows === undefined) return;
  const checked = await checkShardRows({ folder: artefact.folder, dataset: rows, shown: walk.shownRows });
  const subject = artefactSubject(artefact.kind, artefact.address);
  hop.problems.push(...checked.problems.map((problem) => `${subject}/${problem}`));
  hop.facts.trainedRows = checked.count;
  // The first shards reached are those of the answering model; later ones belong to models it learned from.
  if (walk.rowCount > 0) return;
  walk.rows = checked.rows;
  walk.rowCount = checked.count;
}

async function visitInput(
  walk: Walk,
  request: { readonly input: LineageInput; readonly parent: number },
): Promise<void> {
  const { input, parent } = request;
  if (input.kind === 'file') return visitFile(walk, request);
  if (input.kind === 'query' || input.kind === 'plugin') return visitRows(walk, request);
  if (input.kind === 'base') {
    const folder = walk.bases.get(input.fingerprint) ?? resolve(input.address);
    return visitBase(walk, { folder, address: input.address, fingerprint: input.fingerprint, parent });
  }
  const address = input.kind === 'feedback' ? input.address.replace(/^feedback\//, '') : input.address;
  return visitArtefact(walk, { kind: input.kind, address, expected: input.fingerprint, parent });
}

async function visitFile(
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
async function visitRows(
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

async function visitBase(
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

function addJudgement(walk: Walk, record: AuditRecord): void {
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
async function visitFeedback(walk: Walk, answerId: string): Promise<void> {
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
async function visitReports(walk: Walk): Promise<void> {
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

/** Addresses of a kind that the audit log knows and that stand in the store, whether or not they can still be read. */
function standingAddresses(walk: Walk, kind: ArtefactKind): string[] {
  const start = artefactSubject(kind, '');
  return [...walk.recorded.keys()]
    .filter((subject) => subject.startsWith(start) && existsSync(join(walk.store.root, subject)))
    .map((subject) => subject.slice(start.length));
}

function nameOf(walk: Walk, index: number | null): string {
  const hop = index === null ? undefined : walk.hops[index];
  if (hop === undefined) return 'it';
  const kind = artefactKinds.find((each) => each === hop.kind);
  return kind === undefined ? `${hop.kind} ${hop.address}` : artefactSubject(kind, hop.address);
}

function nameIn(address: string): string {
  return address.slice(0, address.lastIndexOf('@'));
}

function member(value: Json | undefined): { readonly [key: string]: Json } | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
}
