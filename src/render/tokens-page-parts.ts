/** The look of the token page. Light and dark follow the reader's system; nothing is told by colour alone. */
export const tokensStyle = `
:root { --learned:#d3efe6; --learned-line:#0b6e5f; --focus:#0b57d0 }
@media (prefers-color-scheme: dark) { :root { --learned:#12372f; --learned-line:#4fc3ac; --focus:#8ab4f8 } }
main { max-width:1080px; margin:0 auto; padding:32px 24px 160px }
h1 { font-size:24px; line-height:1.25; margin:0 0 10px; overflow-wrap:anywhere } h2 { font-size:16px; margin:0; font-family:ui-monospace,SFMono-Regular,Menlo,monospace; overflow-wrap:anywhere } p { margin:2px 0 }
.soft { color:var(--soft); font-size:14px; overflow-wrap:anywhere }
.legend { list-style:none; display:flex; flex-wrap:wrap; gap:6px 18px; padding:0; margin:0 0 8px; font-size:14px }
section { background:var(--card); border:1px solid var(--line); border-radius:10px; padding:16px 18px; margin-top:18px }
.tokens { margin-top:12px; font:15px/2 ui-monospace,SFMono-Regular,Menlo,monospace; white-space:pre-wrap; overflow-wrap:anywhere }
.t { border-bottom:2px solid transparent; border-radius:3px; padding:2px 0; cursor:default }
.tokens .t { box-shadow:inset 1px 0 0 var(--line) }
.t.template { color:var(--soft); font-style:italic }
.t.learned { background:var(--learned); border-bottom-color:var(--learned-line) }
.t.more { border-bottom-style:double; border-bottom-width:4px; font-weight:600 } .t.less { border-bottom-style:dotted }
.tokens .t:hover,.tokens .t.at { outline:2px solid var(--focus); outline-offset:1px }
.tokens .t:focus-visible { outline:3px solid var(--focus); outline-offset:1px }
#detail { position:fixed; left:0; right:0; bottom:0; background:var(--card); border-top:1px solid var(--line); padding:12px 24px; font-size:15px; box-shadow:0 -4px 18px rgb(0 0 0 / .12) }
#detail dl { display:flex; flex-wrap:wrap; gap:4px 28px; margin:0 auto; max-width:1032px } #detail div { min-width:0 } #detail dt { display:inline; color:var(--soft) } #detail dt::after { content:" " } #detail dd { display:inline; margin:0; font-family:ui-monospace,SFMono-Regular,Menlo,monospace; overflow-wrap:anywhere }
@media (max-width:640px) { main { padding:20px 12px 190px } section { padding:12px } #detail { padding:10px 14px } }
@media print { #detail { display:none } }
`.trim();

/** Shows what a token is; one token of a row takes part in tabbing, arrows move between them. */
export const tokensScript = `
const detail = document.getElementById('detail');
let at = null;
function show(token) {
  if (at) at.classList.remove('at');
  at = token;
  token.classList.add('at');
  const list = document.createElement('dl');
  for (const [name, value] of [['token', token.dataset.i], ['id', token.dataset.id], ['text', token.dataset.token], ['source', token.dataset.source], ['weight', token.dataset.weight]]) {
    const pair = document.createElement('div'), term = document.createElement('dt'), said = document.createElement('dd');
    term.textContent = name;
    said.textContent = value;
    pair.append(term, said);
    list.append(pair);
  }
  detail.replaceChildren(list);
  detail.hidden = false;
}
const tokenOf = (event) => event.target.closest('.tokens .t');
addEventListener('mouseover', (event) => { const token = tokenOf(event); if (token) show(token); });
addEventListener('focusin', (event) => { const token = tokenOf(event); if (token) show(token); });
addEventListener('click', (event) => { const token = tokenOf(event); if (token) move(token); });
function move(to) {
  for (const other of to.parentElement.querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
  to.tabIndex = 0;
  to.focus();
}
function lineStep(token, direction) {
  const all = [...token.parentElement.querySelectorAll('.t')];
  const box = token.getBoundingClientRect();
  const other = all.filter((each) => direction * (each.getBoundingClientRect().top - box.top) > box.height / 2);
  const row = other.length === 0 ? undefined : direction > 0 ? other[0] : other.at(-1);
  if (!row) return undefined;
  const top = row.getBoundingClientRect().top;
  const near = (each) => Math.abs(each.getBoundingClientRect().left - box.left);
  return other.filter((each) => Math.abs(each.getBoundingClientRect().top - top) < box.height / 2).sort((a, b) => near(a) - near(b))[0];
}
addEventListener('keydown', (event) => {
  const token = tokenOf(event);
  if (!token || event.ctrlKey || event.metaKey || event.altKey) return;
  const all = token.parentElement.querySelectorAll('.t');
  const index = [...all].indexOf(token);
  const to = { ArrowRight: all[index + 1], ArrowLeft: all[index - 1], Home: all[0], End: all[all.length - 1] }[event.key] ?? (event.key === 'ArrowDown' ? lineStep(token, 1) : event.key === 'ArrowUp' ? lineStep(token, -1) : undefined);
  if (!to) return;
  event.preventDefault();
  move(to);
});
`.trim();
