import { z } from 'zod';
import { json, sha256Hex, timestamp } from './common.ts';

/** What the audit log records. */
export const auditKinds = ['artefact', 'capture', 'judgement', 'feedback'] as const;

/** One line of `audit/log.jsonl`: each record carries the hash of the one before, so none can be changed, cut or moved. */
export const auditRecord = z
  .strictObject({
    sequence: z.number().int().min(0).describe('Counts up from 0.'),
    at: timestamp,
    kind: z.enum(auditKinds).describe('What happened.'),
    subject: z.string().describe('The artefact address or answer id it is about.'),
    content: json.describe('What is recorded, or its fingerprint.'),
    previous: sha256Hex.describe('`hash` of the record before; zeros for the first.'),
    hash: sha256Hex.describe('Fingerprint of this record without this field.'),
  })
  .describe('An audit record.');

/**
 * `audit/head.json`: the last record, signed. It is written before the log, so a record cut from the log's end is missed,
 * and one that a killed writer did not finish is still known.
 */
export const auditHead = z
  .strictObject({
    schema: z.literal('audit-head/1').describe('Document kind and version.'),
    record: auditRecord,
    publicKey: z.string().describe('The Ed25519 key that signs, DER in base64.'),
    signature: z.string().describe('Signature of the canonical JSON of this document without this field, in base64.'),
  })
  .describe('The signed head of the audit log.');

export const judgement = z
  .strictObject({
    schema: z.literal('judgement/1').describe('Document kind and version.'),
    answer: z.string().describe('The captured answer.'),
    verdict: z.enum(['approve', 'edit', 'reject']).describe('What was decided.'),
    text: z.string().nullable().describe('The edited text; null unless edited.'),
    reason: z.string().nullable().describe('Why, for a rejection or an edit.'),
    by: z.string().describe('Who decided.'),
    madeBy: z.enum(['person', 'machine', 'quickstart']).describe('What kind of judge.'),
    unsupported: z.array(z.string()).describe('Claims that were marked as not supported when it was decided.'),
  })
  .describe('A judgement of an answer.');

export type AuditRecord = z.infer<typeof auditRecord>;
export type AuditHead = z.infer<typeof auditHead>;
export type AuditKind = (typeof auditKinds)[number];
export type Judgement = z.infer<typeof judgement>;
