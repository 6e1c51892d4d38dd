import type { Json } from '../schema/common.ts';
import type { ArtefactKind, Lineage, LineageInput } from '../schema/lineage.ts';

/**
 * The only writer of artefacts. An artefact is a folder `<store>/<kind>s/<name>@<version>/` that appears whole or not at
 * all (written beside, then renamed) and carries `lineage.json`. Files are the truth; there is no database.
 */
export interface Store {
  readonly root: string;
  /** Absolute folder of an artefact, whether or not it exists. */
  folder(kind: ArtefactKind, address: string): string;
  /** The newest artefact of this kind and name whose key is equal and whose files are all there (sizes not hashed). */
  find(request: {
    readonly kind: ArtefactKind;
    readonly name: string;
    readonly key: string;
  }): Promise<Artefact | undefined>;
  /** @throws MartletError `artefact-missing`, naming the nearest address there is. */
  open(kind: ArtefactKind, address: string): Promise<Artefact>;
  /** The newest version under a name. */
  latest(kind: ArtefactKind, name: string): Promise<Artefact | undefined>;
  list(kind: ArtefactKind): Promise<readonly Artefact[]>;
  /**
   * Calls `write` with an empty working folder, hashes what it wrote, adds lineage, renames it to the next free version
   * and records it in the audit log. If anything fails, nothing remains under the final name. Where another process finished
   * one of the same key meanwhile, that one is returned.
   */
  create(request: CreateRequest, write: (folder: string) => Promise<CreateFacts>): Promise<Artefact>;
  /** A run grows for hours: its folder is made at once under its final name, and sealed (hashed, lineage, audit) at the end. */
  beginRun(request: {
    readonly name: string;
    readonly key: string;
  }): Promise<{ readonly address: string; readonly folder: string; readonly resumed: boolean }>;
  /** The run that `beginRun` would take up. */
  unfinishedRun(request: {
    readonly name: string;
    readonly key: string;
  }): Promise<{ readonly address: string; readonly folder: string } | undefined>;
  sealRun(address: string, request: CreateRequest, facts: CreateFacts): Promise<Artefact>;
  /** Recomputes every hash of one artefact. Empty when it is as it was committed. */
  verify(artefact: Artefact): Promise<readonly string[]>;
}

export interface CreateRequest {
  readonly kind: ArtefactKind;
  readonly name: string;
  readonly key: string;
  readonly inputs: readonly LineageInput[];
}

/** What the stage wants remembered in the lineage. */
export type CreateFacts = Record<string, Json>;

export interface Artefact {
  readonly kind: ArtefactKind;
  readonly address: string;
  readonly folder: string;
  readonly lineage: Lineage;
}
