import { globSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, posix, relative } from 'node:path';
import { parseSync } from 'vite';

/** One import that the table of ARCHITECTURE.md forbids. Both places are relative to the project. */
export interface Breach {
  readonly file: string;
  readonly line: number;
  readonly imports: string;
  readonly rule: string;
  readonly instead: string;
}

interface Rule {
  /** Folders (or files) under src that it speaks of. */
  readonly of: readonly string[];
  /** Folders and files under src that they may import, besides themselves. */
  readonly may: readonly string[];
  /** Whether Node's own modules and any dependency may be used; else only packages that run in a browser. */
  readonly node: boolean;
  readonly typesOnly?: true;
  readonly rule: string;
  readonly instead: string;
}

const tier0 = ['schema', 'core', 'spec'];
const tier1 = ['recipe', 'render', 'grounding', 'client', 'methods'];
const tier2 = ['store', 'models', 'envs', 'engine'];
const stages = ['data', 'shard', 'train', 'eval', 'export', 'serve', 'review'];
const below = [...tier0, ...tier1, ...tier2];

const browserPackages = ['zod', 'yaml', '@noble/hashes'];

/** ARCHITECTURE.md, "may import". */
export const rules: readonly Rule[] = [
  {
    of: ['spec'],
    may: ['schema', 'core'],
    node: false,
    typesOnly: true,
    rule: 'spec imports types of tier 0 and nothing else',
    instead: 'write `import type`, or move the code to core',
  },
  {
    of: ['schema', 'core'],
    may: tier0,
    node: false,
    rule: 'tier 0 (schema, core, spec) imports tier 0 only, neither Node nor the DOM',
    instead: 'pass what is needed as an argument, or move the code to the tier that may have it',
  },
  {
    of: ['recipe'],
    may: [...tier0, 'methods'],
    node: false,
    rule: 'recipe imports tier 0 and methods, neither Node nor the DOM',
    instead: 'collect the fact in cli and pass it in, or move what both need to core',
  },
  {
    of: tier1,
    may: tier0,
    node: false,
    rule: 'a folder of tier 1 (recipe, render, grounding, client, methods) imports tier 0 only, neither Node nor the DOM',
    instead: 'pass what is needed as an argument (spec/ says its shape), or move what both need to core',
  },
  {
    of: tier2,
    may: below,
    node: true,
    rule: 'tier 2 (store, models, envs, engine) imports tiers 0 to 2, never a stage or a surface',
    instead: 'pass what is needed as an argument (spec/ says its shape)',
  },
  {
    of: stages,
    may: below,
    node: true,
    rule: 'a stage imports tiers 0 to 2, never another stage or a surface',
    instead: 'meet in a document (schema) or an artefact (store), or move what both need below, behind spec/',
  },
  {
    of: ['pipeline.ts'],
    may: [...below, ...stages],
    node: true,
    rule: 'pipeline.ts imports stages and what lies below them',
    instead: 'let the surface that needs it import it',
  },
  {
    of: ['cli', 'server'],
    may: ['pipeline.ts', ...below],
    node: true,
    rule: 'cli and server reach stages through pipeline.ts, and never each other',
    instead: "re-export the stage's function in src/pipeline.ts and import it from there",
  },
  {
    of: ['testing'],
    may: [...below, ...stages, 'pipeline.ts'],
    node: true,
    rule: 'testing imports stages and what lies below them, never a surface',
    instead: 'put the helper beside the surface that it tests',
  },
  {
    of: ['index.ts'],
    may: [...below, ...stages, 'pipeline.ts', 'testing'],
    node: true,
    rule: 'the SDK exports the path and what lies below it, never a surface',
    instead: 'move the function to pipeline.ts or below',
  },
];

const noOtherFolder: Rule = {
  of: [],
  may: [],
  node: false,
  rule: 'every folder of src stands in the table of ARCHITECTURE.md',
  instead: 'add it to the table and to tools/boundaries.ts, with a note in docs/decisions',
};

interface Import {
  readonly file: string;
  readonly line: number;
  readonly from: string;
  readonly typeOnly: boolean;
  readonly lazy: boolean;
}

/**
 * Checks every import under `<root>/src` against the table, that shipped code imports only what `dependencies` names,
 * and that no modules wait for each other in a circle. Tests may also use Node, any package and `testing`.
 */
export function findBreaches(root: string): readonly Breach[] {
  const files = globSync('src/**/*.{ts,tsx}', { cwd: root }).map((file) => file.replaceAll('\\', '/'));
  files.sort();
  const imports = files.flatMap((file) => importsOf(file, readFileSync(join(root, file), 'utf8')));
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { dependencies?: object };
  const dependencies = new Set(Object.keys(manifest.dependencies ?? {}));
  const breaches = imports.flatMap((one) => breachOf(one, dependencies) ?? []);
  return [...breaches, ...findCycles(imports)];
}

export function formatBreach(breach: Breach): string {
  return `${breach.file}:${breach.line} imports ${breach.imports}\n  rule: ${breach.rule}\n  instead: ${breach.instead}`;
}

function importsOf(file: string, text: string): Import[] {
  const { module } = parseSync(file, text);
  const lineOf = (offset: number): number => text.slice(0, offset).split('\n').length;
  const found: Import[] = [];
  const add = (from: string, at: number, how: { typeOnly: boolean; lazy: boolean }): void => {
    const target = from.startsWith('.') ? posix.join(posix.dirname(file), from) : from;
    found.push({ file, line: lineOf(at), from: target, ...how });
  };
  const allTypes = (entries: readonly { isType: boolean }[]): boolean =>
    entries.length > 0 && entries.every((entry) => entry.isType);
  for (const one of module.staticImports)
    add(one.moduleRequest.value, one.start, { typeOnly: allTypes(one.entries), lazy: false });
  for (const one of module.staticExports) {
    const from = one.entries.find((entry) => entry.moduleRequest)?.moduleRequest;
    if (from) add(from.value, one.start, { typeOnly: allTypes(one.entries), lazy: false });
  }
  // `await import('x')` and the type `import('x').T`, which the parser lists apart.
  for (const one of text.matchAll(/(typeof\s+)?\bimport\(\s*'([^']+)'\s*\)(\.[A-Z])?/g))
    add(one[2] ?? '', one.index, { typeOnly: Boolean(one[1] ?? one[3]), lazy: true });
  return found;
}

function breachOf(one: Import, dependencies: ReadonlySet<string>): Breach | undefined {
  const isTest = /\.(test|soak)\.tsx?$/.test(one.file);
  const owner = partOf(one.file);
  const rule = rules.find((candidate) => candidate.of.includes(owner)) ?? noOtherFolder;
  const breach = (imports: string, why: { rule: string; instead: string }): Breach => ({
    file: one.file,
    line: one.line,
    imports,
    rule: why.rule,
    instead: why.instead,
  });
  if (rule === noOtherFolder) return breach(one.from, noOtherFolder);
  if (one.from.startsWith('src/')) {
    const target = partOf(one.from);
    const may = target === owner || rule.may.includes(target) || (isTest && target === 'testing');
    if (!may || (rule.typesOnly && target !== owner && !one.typeOnly && !isTest)) return breach(one.from, rule);
    return undefined;
  }
  if (isTest) return undefined;
  if (!isPackage(one.from))
    return breach(one.from, {
      rule: 'shipped code imports nothing outside src',
      instead: 'move what it needs into src, or the caller out of it',
    });
  if (isBuiltin(one.from)) return rule.node ? undefined : breach(one.from, rule);
  const name = one.from.split('/', one.from.startsWith('@') ? 2 : 1).join('/');
  if (!dependencies.has(name))
    return breach(one.from, {
      rule: 'shipped code imports only packages under `dependencies` in package.json',
      instead: 'use what is there, or add it with a line in docs/decisions',
    });
  return rule.node || browserPackages.includes(name) ? undefined : breach(one.from, rule);
}

const isPackage = (from: string): boolean =>
  /^(@?[a-z0-9]|node:)/.test(from) && !/^(tools|tests|bench|recipes)\//.test(from);

/** `src/train/loop.ts` -> `train`; `src/pipeline.ts` -> `pipeline.ts` */
const partOf = (file: string): string => file.split('/')[1] ?? '';

/** Circles of imports, of types too; `await import` makes none. Each is told once. */
function findCycles(imports: readonly Import[]): Breach[] {
  const edges = new Map<string, Import[]>();
  for (const one of imports) {
    if (one.lazy || !one.from.startsWith('src/')) continue;
    edges.set(one.file, [...(edges.get(one.file) ?? []), one]);
  }
  const breaches: Breach[] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    path.push(file);
    for (const one of edges.get(file) ?? []) {
      const at = path.indexOf(one.from);
      if (at >= 0) breaches.push(cycleBreach(one, path.slice(at)));
      else if (!done.has(one.from)) visit(one.from);
    }
    path.pop();
    done.add(file);
  };
  for (const file of edges.keys()) if (!done.has(file)) visit(file);
  return breaches;
}

function cycleBreach(one: Import, circle: readonly string[]): Breach {
  const short = circle.map((file) => relative(dirname(circle[0] ?? ''), file) || file);
  return {
    file: one.file,
    line: one.line,
    imports: `${one.from}, in a circle: ${[...short, short[0]].join(' -> ')}`,
    rule: 'modules do not import one another in a circle',
    instead: 'move what both need into a third module',
  };
}
