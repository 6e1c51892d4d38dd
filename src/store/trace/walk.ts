import type { Json } from '../../schema/common.ts';
import { type ArtefactKind, artefactKinds } from '../../schema/lineage.ts';
import { artefactSubject } from '../open-store.ts';
import type { Store } from '../store.ts';
import type { CheckRowsOptions, TracedRow } from './rows.ts';
import type { TrainedRows } from './trained-rows.ts';

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

export interface OpenHop {
  kind: HopKind;
  address: string;
  fingerprint: string | null;
  problems: string[];
  facts: Record<string, Json>;
  parent: number | null;
}

/** What a visit of one artefact needs to know of the whole walk. */
export interface Walk {
  readonly store: Store;
  readonly hops: OpenHop[];
  readonly visited: Map<string, number>;
  /** The last fingerprint the audit log records, by subject. */
  readonly recorded: ReadonlyMap<string, Json>;
  /** Folders of base models, by the fingerprint a document gives them. */
  readonly bases: Map<string, string>;
  /** Folders of datasets whose rows were checked. */
  readonly datasets: Set<string>;
  /** What the rows of shards came to, by their folder. */
  readonly trained: Map<string, TrainedRows>;
  readonly madeRows: CheckRowsOptions['madeRows'];
  readonly shownRows: number;
  rows: readonly TracedRow[];
  rowCount: number;
  shardRowCount: number;
}

export function addHop(walk: Walk, hop: Pick<OpenHop, 'kind' | 'address' | 'parent'> & Partial<OpenHop>): OpenHop {
  const added: OpenHop = { fingerprint: null, problems: [], facts: {}, ...hop };
  walk.hops.push(added);
  return added;
}

export function nameOf(walk: Walk, index: number | null): string {
  const hop = index === null ? undefined : walk.hops[index];
  if (hop === undefined) return 'it';
  const kind = artefactKinds.find((each) => each === hop.kind);
  return kind === undefined ? `${hop.kind} ${hop.address}` : artefactSubject(kind, hop.address);
}

export function member(value: Json | undefined): { readonly [key: string]: Json } | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
}
