import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { MartletError } from '../core/error.ts';
import { nearestName } from '../core/nearest.ts';

/** What an address of a base model names. Paths are absolute. */
export type ModelAddress =
  | { readonly kind: 'hf' | 'modelscope'; readonly id: string; readonly revision: string }
  | { readonly kind: 'pypi'; readonly id: string; readonly version: string | undefined }
  | { readonly kind: 'gguf' | 'folder'; readonly path: string };

const schemes = ['hf', 'modelscope', 'pypi'] as const;

/** A hub id goes into URLs and file names; nothing in it may climb out of either. */
const hubId = /^[\w][\w.-]*\/[\w][\w.-]*$/;
const revisionForm = /^(?!.*\.\.)[\w][\w./+-]*$/;
/** PEP 508 names; one that began with a dash would be an option of pip. */
const packageForm = /^[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?$/;
const versionForm = /^[A-Za-z0-9][\w.!+-]*$/;

/**
 * `hf:org/name@rev`, `modelscope:org/name@rev`, `pypi:package@version`, a `.gguf` file or a folder. What stands before
 * the colon must have two letters or more, so that `C:\models` is a path.
 * @throws MartletError `bad-address`
 */
export function parseAddress(address: string, cwd: string): ModelAddress {
  const [, scheme, rest = ''] = /^([A-Za-z][\w+.-]+):(.*)$/s.exec(address) ?? [];
  if (scheme === undefined) {
    const path = resolve(cwd, address);
    return { kind: /\.gguf$/i.test(path) ? 'gguf' : 'folder', path };
  }
  const at = rest.indexOf('@');
  const id = at < 0 ? rest : rest.slice(0, at);
  const revision = at < 0 ? undefined : rest.slice(at + 1);
  const kind = schemes.find((known) => known === scheme);
  if (kind === undefined) {
    const nearest = nearestName(scheme, schemes);
    throw new MartletError('bad-address', `"${address}" begins with "${scheme}:", which is no kind of address`, {
      hint: `There are hf:, modelscope:, pypi:, folders and .gguf files.${nearest ? ` The nearest is ${nearest}:.` : ''}`,
    });
  }
  if (kind === 'pypi') {
    if (!packageForm.test(id) || (revision !== undefined && !versionForm.test(revision)))
      throw new MartletError('bad-address', `"${address}" is not of the form pypi:package or pypi:package@version`);
    return { kind, id, version: revision };
  }
  if (!hubId.test(id) || (revision !== undefined && !revisionForm.test(revision)))
    throw new MartletError(
      'bad-address',
      `"${address}" is not of the form ${kind}:organisation/name or ${kind}:organisation/name@revision`,
    );
  return { kind, id, revision: revision ?? { hf: 'main', modelscope: 'master' }[kind] };
}

/** One text for all ways to write an address; what the cache is looked up by. */
export function addressKey(address: ModelAddress): string {
  if (address.kind === 'pypi') {
    const name = address.id.toLowerCase().replace(/[-_.]+/g, '-');
    return address.version === undefined ? `pypi:${name}` : `pypi:${name}@${address.version}`;
  }
  if ('path' in address) return `${address.kind}:${address.path}`;
  return `${address.kind}:${address.id}@${address.revision}`;
}

/** @throws MartletError `model-missing`; `org/name` without a scheme is answered with the one that was meant. */
export function requirePath(path: string, address: string): void {
  if (existsSync(path)) return;
  const looksLikeHub = hubId.test(address) && !/\.gguf$/i.test(address);
  throw new MartletError('model-missing', `${path} does not exist`, {
    hint: looksLikeHub ? `For the hub write hf:${address}.` : undefined,
  });
}
