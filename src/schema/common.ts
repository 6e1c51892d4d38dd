import { z } from 'zod';

/** What a form needs to show a field; kept beside the schema so that there is one definition. */
export interface FieldMeta {
  label?: string;
  group?: string;
  unit?: string;
  tier?: 'basic' | 'expert';
  placeholder?: string;
  /** Values that are right, where the type alone does not tell. */
  examples?: Json[];
}

export const sha256Hex = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'a sha-256 in lower-case hex')
  .describe('A sha-256 in lower-case hex.');

export const timestamp = z.iso.datetime().describe('A moment in UTC, ISO 8601.');

/** `name@version`: the author chooses the name, versions count from 1. */
export const artefactAddress = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._/-]*@[0-9]+$/, 'name@version, such as market-brief@1')
  .describe('An artefact, as name@version.');

export const artefactName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._/-]*$/, 'lower-case letters, digits, dots, dashes, underscores and slashes')
  .describe('A name that versions are counted under.');

export const json: z.ZodType<Json> = z.json() as z.ZodType<Json>;
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
