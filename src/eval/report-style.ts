/** The look of the report page. Light and dark follow the reader's system; nothing is told by colour alone. */
export const reportStyle = `
:root { --base:#9aa3b0; --tuned:#0b6e5f; --bar:#3d9484;
  --good:#0b6e5f; --good-bg:#dff2ec; --bad:#b3261e; --bad-bg:#fbe3e0; --odd:#8a5a00; --odd-bg:#fbeecb; }
@media (prefers-color-scheme: dark) { :root { --base:#6d7684; --tuned:#4fc3ac; --bar:#1f7d6b;
  --good:#6fd6c0; --good-bg:#12372f; --bad:#ff9d94; --bad-bg:#4a1d1a; --odd:#f0c36a; --odd-bg:#43330f; } }
main { max-width:1080px; margin:0 auto; padding:40px 24px 80px }
header { border-bottom:1px solid var(--line); padding-bottom:20px; margin-bottom:28px }
h1 { font-size:26px; line-height:1.2; margin:0 0 6px; letter-spacing:-.01em } h2 { font-size:18px; margin:0 0 14px } p { margin:0 }
.soft { color:var(--soft); fill:var(--soft) }
.cards { display:grid; grid-template-columns:repeat(auto-fit,minmax(210px,1fr)); gap:14px; margin-bottom:28px }
.card,figure,.row { background:var(--card); border:1px solid var(--line); border-radius:10px; padding:18px 20px; margin:0 }
.card .label { color:var(--soft); font-size:14px } .card .values { font-size:26px; font-weight:600; letter-spacing:-.01em; margin-top:2px; font-variant-numeric:tabular-nums }
.card .values .from { color:var(--soft); font-weight:400 } .card .note { font-size:13px; color:var(--soft) }
.plots { display:grid; grid-template-columns:minmax(0,1fr) minmax(0,1fr); gap:14px; margin-bottom:36px } .plots .wide { grid-column:1/-1 }
@media (max-width:800px) { .plots { grid-template-columns:minmax(0,1fr) } }
figure svg { width:100%; height:auto; display:block; overflow:visible; font-size:13px; font-variant-numeric:tabular-nums }
.metric { display:grid; grid-template-columns:minmax(230px,2fr) 3fr 168px; gap:4px 22px; align-items:center; padding:11px 0; border-top:1px solid var(--line) }
.metric .name { line-height:1.35 } .metric .name b { font-weight:500 } .metric .name p,.metric .name span { font-size:13px } .metric svg { height:40px } .metric .whisker { vector-effect:non-scaling-stroke }
.numbers { font-variant-numeric:tabular-nums; font-size:14px; line-height:22px; white-space:nowrap }
@media (max-width:640px) { .metric { grid-template-columns:1fr } .numbers { display:flex; flex-wrap:wrap; gap:0 22px } main { padding:24px 14px 60px } .cards { grid-template-columns:1fr 1fr } .card { padding:12px 14px } .card .values { font-size:20px } .plots figure:not(.wide) svg { font-size:17px } }
svg text { fill:var(--ink) } svg .soft { fill:var(--soft) } svg .end { text-anchor:end } svg .middle { text-anchor:middle }
rect.base { fill:var(--base) } rect.tuned { fill:var(--bar) } .grid { stroke:var(--line) } .whisker { stroke:var(--ink); stroke-width:1.5; fill:none }
.curve { stroke:var(--tuned); stroke-width:2; fill:none; stroke-linejoin:round } .dot { fill:var(--tuned); stroke:var(--card) }
.level { stroke-width:1.5; stroke-dasharray:5 4; fill:none } .base-line { stroke:var(--base) } .tuned-line { stroke:var(--tuned) }
.legend { display:flex; flex-wrap:wrap; gap:6px 18px; font-size:14px; color:var(--soft); margin:0 0 12px }
.swatch { display:inline-block; width:11px; height:11px; border-radius:2px; margin-right:6px } .swatch.base { background:var(--base) } .swatch.tuned { background:var(--bar) }
.filter { border:0; padding:0; margin:0 0 14px; display:flex; flex-wrap:wrap; gap:6px 18px } .filter legend { float:left; margin-right:14px; color:var(--soft) }
.row { margin-bottom:14px } .row h3 { font-size:13px; font-weight:500; color:var(--soft); margin:0 0 10px; font-family:ui-monospace,monospace }
.sides { display:grid; grid-template-columns:1fr 1fr; gap:22px } @media (max-width:800px) { .sides { grid-template-columns:1fr } }
.side h4 { font-size:14px; margin:0 0 6px; display:flex; flex-wrap:wrap; gap:2px 8px; align-items:center } .side h4 .soft { font-weight:400 } .answer { white-space:pre-wrap; overflow-wrap:anywhere }
.badge { white-space:nowrap; font-size:12px; font-weight:500; border-radius:99px; padding:1px 9px } .badge.pass { background:var(--good-bg); color:var(--good) } .badge.fail { background:var(--bad-bg); color:var(--bad) }
mark { color:inherit; border-radius:3px; padding:0 2px; cursor:help } mark:focus-visible,summary:focus-visible,input:focus-visible { outline:2px solid var(--tuned); outline-offset:2px }
mark.supported { background:var(--good-bg) } mark.contradicted { background:var(--bad-bg); text-decoration:underline wavy var(--bad) 1.5px; text-underline-offset:3px }
mark.not-found { background:var(--odd-bg); text-decoration:underline dotted var(--odd) 2px; text-underline-offset:3px }
.reasons { margin:8px 0 0; padding:0; list-style:none; font-size:14px; color:var(--soft) } .reasons b { font-weight:600 } .reasons .contradicted b { color:var(--bad) } .reasons .not-found b { color:var(--odd) }
details { margin-top:14px; font-size:14px } summary { cursor:pointer; color:var(--soft) } pre { white-space:pre-wrap; overflow-wrap:anywhere; background:var(--paper); border:1px solid var(--line); border-radius:6px; padding:10px 12px; margin:8px 0 0; font-size:13px }
body:has(#only-failed:checked) .row:not(.failed), body:has(#only-contradicted:checked) .row:not(.has-contradiction) { display:none }
footer { margin-top:36px; font-size:13px; color:var(--soft) }
@media print { :root { color-scheme:light; --paper:#fff; --card:#fff; --ink:#000; --soft:#444; --line:#bbb; --good-bg:#dff2ec; --bad-bg:#fbe3e0; --odd-bg:#fbeecb }
  body { font-size:11pt; -webkit-print-color-adjust:exact; print-color-adjust:exact } main { padding:0; max-width:none } .filter { display:none } .cards { grid-template-columns:repeat(4,1fr); gap:8px; margin-bottom:12px } .card { padding:10px 12px } .card .values { font-size:18px }
  .plots { display:block } figure { margin-bottom:10px; padding:12px 16px } figure:not(.wide) { display:inline-block; width:49% } .metric { padding:4px 0; break-inside:avoid } .row,figure,.card { break-inside:avoid } }
`.trim();
