import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { MartletError } from '../src/core/error.ts';
import { environmentPython } from '../src/envs/index.ts';
import { isolatedEnv } from '../src/envs/python-environment.ts';
import { parseJson } from '../src/render/index.ts';
import type { ChatMessage, TemplateData } from '../src/render/messages.ts';
import { compileTemplate, type RawRendering, renderRaw } from '../src/render/template.ts';
import { conversations } from '../tests/oracles/conversations.ts';
import { findTemplates } from '../tests/oracles/real-templates.ts';

export interface JinjaBench {
  /** Python's seconds over ours for the same renderings: above 1, ours is faster. */
  readonly jinjaVsPython: number;
  readonly templates: number;
  readonly renderings: number;
  readonly rendersPerSecond: { readonly martlet: number; readonly python: number };
  /** The five templates where ours does worst. */
  readonly worst: readonly { readonly file: string; readonly ratio: number }[];
}

/**
 * Real chat templates with every conversation that they accept: ours with provenance on, from plain messages, against
 * Python's compiled jinja2 templates, one thread each, round by round in turn. A template's time is that of its fastest round: what slows the others is the
 * machine's other work.
 * @throws Error where a text differs
 */
export async function benchJinja({ rounds = 15 }: { readonly rounds?: number } = {}): Promise<JinjaBench> {
  const python = await environmentPython({ name: 'oracles', env: process.env });
  if (python === undefined) throw new Error('needs the oracles environment: martlet setup oracles');
  const folder = await mkdtemp(join(tmpdir(), 'martlet-bench-jinja-'));
  const found = await findTemplates({ installed: ['trl', 'transformers'] });
  // What tells the time differs from run to run, and an empty list of tools is none to `renderChat`.
  const templates = found.filter(({ text }) => !text.includes('strftime_now') && compiles(text));
  const inputs = [...conversations().values()].filter((text) => !text.includes('"tools": []'));
  const file = join(folder, 'request.json');
  await writeFile(file, JSON.stringify({ templates: templates.map(({ text }) => text), inputs }));
  const env = isolatedEnv(process.env);
  const peer = spawn(python, ['-W', 'ignore', fileURLToPath(new URL('peers/jinja_render.py', import.meta.url)), file], {
    env: { ...env, HF_HUB_OFFLINE: '1' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    const lines = createInterface({ input: peer.stdout })[Symbol.asyncIterator]();
    const next = async <T>(): Promise<T> => JSON.parse((await lines.next()).value ?? '{}') as T;
    const { ready, texts } = await next<{ ready: [number, number][]; texts: string[] }>();
    const work = ownWork(templates, { inputs, ready, texts });
    const seconds: { own: number[]; python: number[] }[] = templates.map(() => ({ own: [], python: [] }));
    for (let round = 0; round < rounds + 3; round++) {
      const own = work.map(timed);
      peer.stdin.write('\n');
      const answer = await next<{ seconds: number[] }>();
      // Three rounds to warm up.
      if (round < 3) continue;
      seconds.forEach((all, index) => {
        all.own.push(own[index] ?? 0);
        all.python.push(answer.seconds[index] ?? 0);
      });
    }
    return summary(seconds, { files: templates.map((each) => each.file), renderings: ready.length });
  } finally {
    peer.stdin.end();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Packages also carry pieces of templates. */
function compiles(text: string): boolean {
  try {
    return compileTemplate(text) !== undefined;
  } catch (error) {
    if (error instanceof MartletError) return false;
    throw error;
  }
}

type Render = () => RawRendering;

function ownWork(
  templates: readonly { readonly text: string }[],
  { inputs, ready, texts }: { inputs: readonly string[]; ready: readonly [number, number][]; texts: readonly string[] },
): Render[][] {
  const work: Render[][] = templates.map(() => []);
  const programs = templates.map(({ text }) => compileTemplate(text));
  const data = inputs.map((text) => parseJson(text) as Record<string, TemplateData>);
  ready.forEach(([template, input], index) => {
    const {
      messages,
      tools,
      add_generation_prompt: prompt,
      ...variables
    } = data[input] as Record<string, TemplateData>;
    const program = programs[template];
    if (!program) return;
    const render: Render = () =>
      renderRaw({
        template: program,
        messages: messages as readonly ChatMessage[],
        tools: (tools ?? undefined) as readonly TemplateData[] | undefined,
        variables,
        addGenerationPrompt: prompt === true,
      });
    const rendered = render();
    const hash = rendered.ok ? hashOf(rendered.text) : 'an error';
    if (hash !== texts[index]) throw new Error(`template ${template} with conversation ${input} differs from Python`);
    work[template]?.push(render);
  });
  return work;
}

/** Of the UTF-16 units, so that lone surrogates count too. */
function hashOf(text: string): string {
  return createHash('sha256').update(Buffer.from(text, 'utf16le')).digest('hex').slice(0, 16);
}

function timed(renders: readonly Render[]): number {
  const start = performance.now();
  for (const render of renders) render();
  return (performance.now() - start) / 1000;
}

function summary(
  seconds: readonly { readonly own: readonly number[]; readonly python: readonly number[] }[],
  { files, renderings }: { files: readonly string[]; renderings: number },
): JinjaBench {
  const each = seconds.map(({ own, python }) => ({ own: Math.min(...own), python: Math.min(...python) }));
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const own = sum(each.map((one) => one.own));
  const python = sum(each.map((one) => one.python));
  const worst = each
    .map((one, index) => ({ file: files[index] ?? '', ratio: one.python / one.own }))
    .filter(({ ratio }) => Number.isFinite(ratio))
    .sort((a, b) => a.ratio - b.ratio)
    .slice(0, 5);
  return {
    jinjaVsPython: python / own,
    templates: files.length,
    renderings,
    rendersPerSecond: { martlet: renderings / own, python: renderings / python },
    worst,
  };
}
