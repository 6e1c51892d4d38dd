/** Where a recipe takes rows from that a review made: `feedback/<name>@<n>`. */
export interface FeedbackAddress {
  readonly name: string;
  /** Null where none is given, or none that is a number. */
  readonly version: number | null;
}

/**
 * `feedback/<name>@<n>`, also with `#500` behind it for rows drawn at random. Null for what is no such address: another
 * path, `feedback/rows.jsonl` and `./feedback/name` among them.
 */
export function parseFeedbackAddress(from: string): FeedbackAddress | null {
  const [, name, version] = /^feedback\/([^@#]+)(?:@([^#]*))?(?:#\d+)?$/.exec(from) ?? [];
  if (name === undefined) return null;
  if (version === undefined && /[*?[{]|\.\w+$|\/$/.test(name)) return null;
  return { name, version: /^\d+$/.test(version ?? '') ? Number(version) : null };
}
