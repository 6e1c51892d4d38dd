/**
 * Names the built files in what tsc leaves alone: `import('./x.ts')` inside types, imports of declaration files, and
 * `new URL('./worker.ts', import.meta.url)`.
 */
export function nameJavaScript(text: string): string {
  return text
    .replace(/(\bfrom '|\bimport\(["']|^import ')(\.{1,2}\/[^'"]+)\.ts(["'])/gm, '$1$2.js$3')
    .replace(/(new URL\(')(\.{1,2}\/[^']+)\.ts(', import\.meta\.url\))/g, '$1$2.js$3');
}
