export interface HtmlPage {
  readonly title: string;
  /** Of this page alone, behind what all pages share. */
  readonly style: string;
  /** What stands in the body, as HTML. */
  readonly body: string;
  readonly script?: string;
}

/**
 * A page that needs nothing else: no network, no fonts, no scripts but its own. It forbids itself everything that it was not
 * given here, so that a text which slipped past `escapeHtml` could still do nothing.
 */
export function htmlPage({ title, style, body, script }: HtmlPage): string {
  const scripts = script === undefined ? '' : " script-src 'unsafe-inline';";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline';${scripts} img-src data:">
<link rel="icon" href="data:,">
<title>${escapeHtml(title)}</title>
<style>${shared}${style}</style>
</head>
<body>
${body}
${script === undefined ? '' : `<script>${script}</script>\n`}</body>
</html>
`;
}

/** Text made safe for HTML, inside elements and quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Colours and letters that every page has, by day and by night. */
const shared = `
:root { color-scheme: light dark; --paper:#fbfaf8; --card:#fff; --ink:#1d2128; --soft:#5b6370; --line:#e2e0da }
@media (prefers-color-scheme: dark) { :root { --paper:#14171c; --card:#1c2027; --ink:#e8e6e1; --soft:#9aa3b0; --line:#30353e } }
* { box-sizing:border-box }
body { margin:0; background:var(--paper); color:var(--ink); font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif }
`;
