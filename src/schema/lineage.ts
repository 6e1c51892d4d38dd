import { z } from 'zod';
import { artefactAddress, json, sha256Hex, timestamp } from './common.ts';

export const artefactKinds = ['plan', 'dataset', 'shards', 'run', 'report', 'model', 'deployment', 'feedback'] as const;

/** Stands in every artefact folder as `lineage.json`: what it is, what it was made from, and what every file in it hashes to. */
export const lineage = z
  .strictObject({
    schema: z.literal('lineage/1').describe('Document kind and version.'),
    kind: z.enum(artefactKinds).describe('What the artefact is.'),
    address: artefactAddress,
    key: sha256Hex.describe(
      'Fingerprint of everything that decided the content: an equal key means the work is already done.',
    ),
    inputs: z
      .array(
        z.strictObject({
          kind: z
            .enum([...artefactKinds, 'base', 'file', 'query', 'plugin'])
            .describe('What the input is; of a query and a plug-in the fingerprint is over the hashes of its rows.'),
          address: z.string().describe('Its address or path.'),
          fingerprint: sha256Hex.describe('What it was when it was read.'),
        }),
      )
      .describe('What it was made from.'),
    files: z.record(z.string(), sha256Hex).describe('sha-256 of every file, by path inside the folder.'),
    facts: z.record(z.string(), json).describe('What the stage wants remembered (counts, chosen checkpoint ...).'),
    code: z
      .strictObject({
        version: z.string().describe('Version of Martlet.'),
        revision: z.string().nullable().describe('Commit, with -dirty when changed; null outside a checkout.'),
      })
      .describe('What made it.'),
    machine: z.string().describe('Platform, processor count and memory.'),
    createdAt: timestamp.describe('When it was committed.'),
    createdBy: z.string().describe('Who ran it.'),
    fingerprint: sha256Hex.describe('Fingerprint of this document without this field.'),
  })
  .describe('The lineage of an artefact.');

export type ArtefactKind = (typeof artefactKinds)[number];
export type Lineage = z.infer<typeof lineage>;
export type LineageInput = Lineage['inputs'][number];
