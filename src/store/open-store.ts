import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { MartletError } from '../core/error.ts';
import { fingerprint } from '../core/fingerprint.ts';
import { nearestName } from '../core/nearest.ts';
import { artefactAddress, artefactName } from '../schema/common.ts';
import { type ArtefactKind, type Lineage, type LineageInput, lineage } from '../schema/lineage.ts';
import { appendAudit } from './audit/audit-log.ts';
import { hasCode, hashFolder, syncFolder, writeFileAtomic } from './files/files.ts';
import { withLock } from './files/lock.ts';
import { ownerToken } from './files/owner.ts';
import { codeVersion, machineName } from './made-by.ts';
import { beginRunFolder, unfinishedRunFolder } from './runs/run-folder.ts';
import type { Artefact, CreateFacts, CreateRequest, Store } from './store.ts';
import { lineageFile, lineageText, runMarkerFile, verifyArtefact } from './verify-artefact.ts';

export interface OpenStoreOptions {
  /** The folder of the store; made when something is first written. */
  readonly root: string;
  readonly clock: () => Date;
  /** Who runs it, for the lineage. */
  readonly who: string;
  /** What makes the artefacts; read from the package and its checkout when absent. */
  readonly code?: Lineage['code'];
  /** The machine's description; read when absent. */
  readonly machine?: string;
}

/** Opens a store of files. Several processes may have the same one open. */
export async function openStore(options: OpenStoreOptions): Promise<Store> {
  const root = resolve(options.root);
  let code: Promise<Lineage['code']> | undefined = options.code && Promise.resolve(options.code);

  const folder = (kind: ArtefactKind, address: string): string => {
    checkName({ text: address, as: 'address' });
    return join(root, kindFolder(kind), address);
  };

  const load = async (kind: ArtefactKind, address: string): Promise<Artefact | undefined> => {
    try {
      const path = folder(kind, address);
      const read = lineage.safeParse(JSON.parse(await readFile(join(path, lineageFile), 'utf8')));
      return read.success ? { kind, address, folder: path, lineage: read.data } : undefined;
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR') || error instanceof SyntaxError) return undefined;
      throw error;
    }
  };

  /** The finished versions of a name that can be read, newest first. */
  async function* versions(kind: ArtefactKind, name: string): AsyncGenerator<Artefact> {
    const parent = dirname(folder(kind, `${name}@1`));
    const numbers = await versionNumbers({ parent, name });
    for (const number of numbers.reverse()) {
      const artefact = await load(kind, `${name}@${number}`);
      if (artefact !== undefined) yield artefact;
    }
  }

  /** Gives the work its version, records it and lets it appear. The record comes first: what is there is always recorded. */
  const seal = async (request: {
    readonly create: CreateRequest;
    readonly address: string;
    readonly files: Lineage['files'];
    readonly facts: CreateFacts;
    readonly appear: (text: string) => Promise<void>;
  }): Promise<Artefact> => {
    const { create, address } = request;
    code ??= codeVersion();
    const unsealed: Omit<Lineage, 'fingerprint'> = {
      schema: 'lineage/1',
      kind: create.kind,
      address,
      key: create.key,
      inputs: [...create.inputs],
      files: request.files,
      facts: request.facts,
      code: await code,
      machine: options.machine ?? machineName(),
      createdAt: options.clock().toISOString(),
      createdBy: options.who,
    };
    const sealed = lineage.parse({ ...unsealed, fingerprint: fingerprint(unsealed) });
    await appendAudit({
      root,
      at: options.clock(),
      kind: create.kind === 'feedback' ? 'feedback' : 'artefact',
      subject: artefactSubject(create.kind, address),
      content: { fingerprint: sealed.fingerprint },
    });
    await request.appear(lineageText(sealed));
    return { kind: create.kind, address, folder: folder(create.kind, address), lineage: sealed };
  };

  /** Folders of all runs under a name, newest first. */
  const runFolders = async (name: string): Promise<string[]> => {
    const parent = dirname(folder('run', `${name}@1`));
    return (await versionNumbers({ parent, name })).reverse().map((number) => folder('run', `${name}@${number}`));
  };

  /** The same thing, finished by another process meanwhile: a second version of it would only be in the way. */
  const madeSince = async (version: number, { kind, name, key }: CreateRequest): Promise<Artefact | undefined> => {
    for await (const artefact of versions(kind, name)) {
      if (Number(artefact.address.slice(artefact.address.lastIndexOf('@') + 1)) < version) return undefined;
      if (artefact.lineage.key === key) return artefact;
    }
    return undefined;
  };

  const list = async (kind: ArtefactKind): Promise<Artefact[]> => {
    const found: Artefact[] = [];
    for (const address of await addressesIn(join(root, kindFolder(kind)))) {
      const artefact = await load(kind, address);
      if (artefact !== undefined) found.push(artefact);
    }
    return found;
  };

  return {
    root,
    folder,
    list,

    async find({ kind, name, key }) {
      for await (const artefact of versions(kind, name)) {
        if (artefact.lineage.key !== key) continue;
        if (!Object.keys(artefact.lineage.files).every((file) => existsSync(join(artefact.folder, file)))) continue;
        // Left by a process that was killed just after it had sealed the run.
        if (kind === 'run') await rm(join(artefact.folder, runMarkerFile), { force: true });
        return artefact;
      }
      return undefined;
    },

    async open(kind, address) {
      const artefact = await load(kind, address);
      if (artefact !== undefined) return artefact;
      const path = folder(kind, address);
      if (existsSync(path)) {
        const what = existsSync(join(path, lineageFile)) ? 'has a broken lineage.json' : 'is not finished';
        throw new MartletError('artefact-missing', `${kind} ${address} ${what}`, {
          hint: kind === 'run' ? 'The same command takes an unfinished run up where it stopped.' : undefined,
        });
      }
      const [name = ''] = address.split('@');
      const names = new Set((await list(kind)).map((each) => each.address.replace(/@\d+$/, '')));
      const meant = names.has(name) ? name : nearestName(name, names);
      const near = meant === undefined ? undefined : (await versions(kind, meant).next()).value?.address;
      throw new MartletError('artefact-missing', `there is no ${kind} ${address} in ${root}`, {
        hint: near && (meant === name ? `The newest is ${near}.` : `Did you mean ${near}?`),
      });
    },

    async latest(kind, name) {
      return (await versions(kind, name).next()).value ?? undefined;
    },

    async create(request, write) {
      checkName({ text: request.name, as: 'name' });
      const parent = dirname(folder(request.kind, `${request.name}@1`));
      const work = join(parent, `.new-${ownerToken()}`);
      await mkdir(work, { recursive: true });
      const version = await nextVersion({ parent, name: request.name });
      try {
        const facts = await write(work);
        const files = await hashFolder(work, { sync: true, except: [lineageFile] });
        return await withLock(versionLock(parent), async () => {
          const twin = await madeSince(version, request);
          if (twin) {
            await rm(work, { recursive: true, force: true });
            return twin;
          }
          const address = `${request.name}@${await nextVersion({ parent, name: request.name })}`;
          return seal({
            create: request,
            address,
            files,
            facts,
            appear: async (text) => {
              await writeFileAtomic(join(work, lineageFile), text);
              await rename(work, folder(request.kind, address));
              await syncFolder(parent);
            },
          });
        });
      } catch (error) {
        await rm(work, { recursive: true, force: true });
        throw error;
      }
    },

    async beginRun({ name, key }) {
      checkName({ text: name, as: 'name' });
      const parent = dirname(folder('run', `${name}@1`));
      await mkdir(parent, { recursive: true });
      return withLock(versionLock(parent), async () => {
        const begun = await beginRunFolder({
          key,
          candidates: await runFolders(name),
          fresh: folder('run', `${name}@${await nextVersion({ parent, name })}`),
        });
        return { address: runAddress(name, begun.folder), ...begun };
      });
    },

    async unfinishedRun({ name, key }) {
      const found = await unfinishedRunFolder({ key, candidates: await runFolders(name) });
      return found && { address: runAddress(name, found.folder), folder: found.folder };
    },

    async sealRun(address, request, facts) {
      const path = folder('run', address);
      if (existsSync(join(path, lineageFile)))
        throw new MartletError('run-sealed', `run ${address} is finished already; nothing may be added to it`);
      const files = await hashFolder(path, { sync: true, except: [lineageFile, runMarkerFile] });
      return seal({
        create: request,
        address,
        files,
        facts,
        appear: async (text) => {
          await writeFileAtomic(join(path, lineageFile), text);
          await rm(join(path, runMarkerFile), { force: true });
        },
      });
    },

    verify: verifyArtefact,
  };
}

const runAddress = (name: string, path: string): string => `${name}${path.slice(path.lastIndexOf('@'))}`;

/** What others put among their inputs when they were made from this artefact. */
export function artefactInput(artefact: Artefact): LineageInput {
  return { kind: artefact.kind, address: artefact.address, fingerprint: artefact.lineage.fingerprint };
}

/** How the audit log speaks of an artefact: `models/market-brief@1`. */
export function artefactSubject(kind: ArtefactKind, address: string): string {
  return `${kindFolder(kind)}/${address}`;
}

function kindFolder(kind: ArtefactKind): string {
  return kind === 'shards' || kind === 'feedback' ? kind : `${kind}s`;
}

function versionLock(parent: string): string {
  return join(parent, '.versions.lock');
}

/** @throws MartletError `bad-name`: also for names whose parts would leave their folder. */
function checkName({ text, as }: { readonly text: string; readonly as: 'name' | 'address' }): void {
  const schema = as === 'name' ? artefactName : artefactAddress;
  const parts = text.split('/');
  if (schema.safeParse(text).success && !parts.some((part) => part === '' || part.startsWith('.'))) return;
  throw new MartletError('bad-name', `${JSON.stringify(text)} cannot be the ${as} of an artefact`, {
    hint: `Write ${as === 'name' ? 'a name such as market-brief' : 'name@version, such as market-brief@1'}: lower-case letters, digits, dots, dashes, underscores and slashes.`,
  });
}

/** Version numbers in use under a name, finished or not, in rising order. */
async function versionNumbers({ parent, name }: { readonly parent: string; readonly name: string }): Promise<number[]> {
  const start = `${basename(name)}@`;
  const names = await readdirIfThere(parent);
  return names
    .filter((each) => each.startsWith(start) && /^[1-9][0-9]*$/.test(each.slice(start.length)))
    .map((each) => Number(each.slice(start.length)))
    .sort((a, b) => a - b);
}

async function nextVersion(request: { readonly parent: string; readonly name: string }): Promise<number> {
  return ((await versionNumbers(request)).at(-1) ?? 0) + 1;
}

/** All addresses below the folder of a kind, by name and version. */
async function addressesIn(kindRoot: string): Promise<string[]> {
  const found: { readonly name: string; readonly version: number }[] = [];
  const walk = async (inside: string): Promise<void> => {
    for (const entry of await readdirIfThere(join(kindRoot, inside))) {
      if (entry.startsWith('.')) continue;
      const path = inside === '' ? entry : `${inside}/${entry}`;
      const at = path.lastIndexOf('@');
      if (at >= 0) found.push({ name: path.slice(0, at), version: Number(path.slice(at + 1)) });
      else await walk(path);
    }
  };
  await walk('');
  found.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.version - b.version));
  return found
    .filter(({ version }) => Number.isInteger(version))
    .map(({ name, version }) => `${name}@${version}`)
    .filter((address) => artefactAddress.safeParse(address).success);
}

async function readdirIfThere(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}
