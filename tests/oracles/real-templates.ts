import { Buffer } from 'node:buffer';
import { oracle } from '../support/oracle.ts';
import { conversations } from './conversations.ts';
import { type Comparison, compareTable } from './jinja-compare.ts';

export interface RealTemplate {
  readonly text: string;
  /** The file of the package it was found in. */
  readonly file: string;
}

/** The chat templates that archives, folders or installed Python packages carry, each text once. */
export async function findTemplates(where: {
  readonly roots?: readonly string[];
  readonly installed?: readonly string[];
}): Promise<readonly RealTemplate[]> {
  const { roots = [], installed = [] } = where;
  return (
    await oracle<{ templates: RealTemplate[] }>('jinja_templates', { roots: [...roots], installed: [...installed] })
  ).templates;
}

/** Renders every template with every conversation, here and in Python. */
export async function compareConversations(templates: readonly RealTemplate[]): Promise<Comparison> {
  const talks = conversations();
  const inputs = [...talks.values()];
  const comparison = await compareTable({
    templates: templates.map(({ text }) => text),
    inputs,
    now: '2026-03-05T14:07:09',
  });
  const names = [...talks.keys()];
  const files = new Map(templates.map(({ text, file }) => [text, file]));
  return {
    compared: comparison.compared,
    differences: comparison.differences.map(({ template, input, said }) => ({
      template: `${files.get(template)} (${Buffer.byteLength(template)} bytes)`,
      input: names[inputs.indexOf(input)] ?? '',
      said,
    })),
  };
}
