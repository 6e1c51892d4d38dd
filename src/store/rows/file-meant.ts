import { readdir } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { nearestName } from '../../core/nearest.ts';
import { dataFiles } from './dataset-files.ts';
import { isPlugin } from './plugin-rows.ts';

/** Files that are named where none is like what was asked for. */
const shownFiles = 5;

/** What to do about a path at which nothing stands: the file that was meant, or those that are there. */
export async function fileMeant(place: string): Promise<string> {
  const [folder, name] = [dirname(place), basename(place)];
  const names = await namesIn(folder);
  if (!names) return folderMeant(folder, name);
  // A module is meant only by the name of one.
  const wanted = names.filter((known) => !isPlugin(known) || isPlugin(name));
  const near = nearestName(name, wanted) ?? wanted.find((known) => stem(known) === stem(name));
  if (near !== undefined) return `Did you mean ${near}?`;
  const maker = names.find((known) => isPlugin(known) && stem(known) === stem(name));
  if (maker === undefined) return filesThere(folder, names);
  const guide = names.includes('README.md') ? `; ${join(folder, 'README.md')} may say how` : '';
  return `${maker} beside it seems to make it${guide}.`;
}

/** The files of rows in a folder, in words. */
export async function filesIn(folder: string): Promise<string> {
  const names = await namesIn(folder);
  return names ? filesThere(folder, names) : `There is no folder ${folder}.`;
}

async function folderMeant(folder: string, name: string): Promise<string> {
  if (/^(hf|ms|modelscope):/i.test(basename(folder)) || /^(hf|ms|modelscope):/i.test(folder))
    return 'Data sets of hubs are read as data.sources[].from; here, name a file or folder of rows on this machine.';
  const above = (await namesIn(dirname(folder))) ?? [];
  if (above.includes(name)) return `Did you mean ${join(dirname(folder), name)}?`;
  const near = nearestName(basename(folder), above);
  const gone = `There is no folder ${folder}.`;
  if (near !== undefined) return `${gone} Did you mean ${join(dirname(folder), near, name)}?`;
  // `org/name` without a scheme is read as a path.
  return extname(name) === '' ? `${gone} A data set of the hub is hf:${basename(folder)}/${name}.` : gone;
}

function filesThere(folder: string, names: readonly string[]): string {
  const files = dataFiles(names);
  if (files.length === 0) return `${folder} has no file of rows.`;
  const more = files.length > shownFiles ? ` and ${files.length - shownFiles} more` : '';
  return `The files of ${folder} are ${files.slice(0, shownFiles).join(', ')}${more}.`;
}

const namesIn = (folder: string): Promise<string[] | undefined> => readdir(folder).catch(() => undefined);

const stem = (name: string): string => basename(name, extname(name)).toLowerCase();
