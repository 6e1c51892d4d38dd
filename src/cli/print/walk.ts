import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Walk } from '../../pipeline.ts';
import { terminalReport } from '../../pipeline.ts';
import { type EvalSample, evalSample, report as reportDocument } from '../../schema/report.ts';
import { readDocument } from '../../store/read-document.ts';
import type { Artefact } from '../../store/store.ts';
import { withCommands } from '../called-as.ts';
import type { CliContext } from '../context.ts';
import { formatTable } from './table.ts';

const made = ['planned', 'dataset', 'shards', 'run', 'report', 'model'] as const;

/** Addresses and folders of what the walk reached. */
export function walkSummary(
  walk: Walk,
): Record<string, { readonly address: string; readonly folder: string; readonly fingerprint: string }> {
  return Object.fromEntries(
    made.flatMap((name) => {
      const artefact: Artefact | undefined = walk[name];
      return artefact
        ? [
            [
              artefact.kind,
              { address: artefact.address, folder: artefact.folder, fingerprint: artefact.lineage.fingerprint },
            ],
          ]
        : [];
    }),
  );
}

/** The report, when there is one, and where everything is. */
export async function printWalk(
  walk: Walk,
  context: Pick<CliContext, 'colour' | 'columns' | 'calledAs'>,
): Promise<string> {
  const rows = Object.entries(walkSummary(walk)).map(([kind, { address, folder }]) => [kind, address, folder]);
  const table = formatTable([{ title: 'made' }, { title: 'address' }, { title: 'folder' }], rows);
  if (!walk.report) return table;
  const page = join(walk.report.folder, 'report.html');
  const { name, export: exported } = walk.plan.values;
  const isServed = walk.model !== undefined && exported.formats.some((format) => format !== 'gguf');
  const next = isServed ? withCommands(`next  martlet serve ${name}\n`, context) : '';
  return `${terminalReport(await readReport(walk.report), context)}\n${table}\npage  ${page}\n${next}`;
}

export async function readReport(artefact: Artefact): Promise<Parameters<typeof terminalReport>[0]> {
  const report = await readDocument(join(artefact.folder, 'report.json'), reportDocument);
  const lines = (await readFile(join(artefact.folder, 'samples.jsonl'), 'utf8')).split('\n').filter(Boolean);
  const samples: EvalSample[] = lines.map((line) => evalSample.parse(JSON.parse(line)));
  return { report, samples };
}
