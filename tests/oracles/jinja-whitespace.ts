/** Tags of each kind with each sign at each side, after and before each kind of white space. */
export function whitespaceTemplates(): string[] {
  const before = ['', ' ', 'x', 'x\n', 'x\n  ', '\n \t', 'x \r\n', '\u00a0', 'x\n\n\n '];
  const after = ['', ' y', '\ny', '\n\n  y', '\r\ny', ' \n'];
  const tags = [
    (open: string, close: string) => `{%${open} if a ${close}%}b{%${open} endif ${close}%}`,
    (open: string, close: string) => `{%${open} set b = 1 ${close}%}`,
    (open: string, close: string) => `{{${open} a ${close}}}`,
    (open: string, close: string) => `{#${open} c ${close}#}`,
    (open: string, close: string) => `{%${open} raw ${close}%} {{ r }}\n {%${open} endraw ${close}%}`,
    (open: string, close: string) =>
      `{%${open} for i in [1, 2] ${close}%}\n  {{${open} i }}\n{%${open} endfor ${close}%}`,
  ];
  const templates: string[] = [];
  for (const tag of tags)
    for (const open of ['', '-', '+'])
      for (const close of ['', '-', '+'])
        for (const lead of before) for (const rest of after) templates.push(lead + tag(open, close) + rest);
  return templates;
}
