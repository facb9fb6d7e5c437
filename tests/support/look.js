// What a person sees of a page, written into a copy of it for --dump-dom to show (test_html.py).
const parse = c => { const n = c.match(/[\d.]+/g).map(Number); return n.length > 3 ? n : [...n, 1] };
const light = ([r, g, b]) => [r, g, b].map(x => x / 255)
  .map(x => x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4)
  .reduce((sum, x, i) => sum + x * [.2126, .7152, .0722][i], 0);
const behind = e => { for (; e; e = e.parentElement) {
  const c = parse(getComputedStyle(e).backgroundColor); if (c[3] > 0) return c; } return [255, 255, 255, 1] };
const shown = e => e.checkVisibility && e.checkVisibility({contentVisibilityAuto: true}) &&
  e.getClientRects().length > 0;
const texts = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const e = walker.currentNode.parentElement, said = walker.currentNode.data.trim();
  if (!said || e.closest('script, style') || !shown(e)) continue;
  const style = getComputedStyle(e), svg = e.closest('svg');
  const a = light(parse(svg ? style.fill : style.color)), b = light(behind(e));
  texts.push([said.slice(0, 40), (Math.max(a, b) + .05) / (Math.min(a, b) + .05), parseFloat(style.fontSize)]);
}
const box = e => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.width, r.height] };
const cells = [...document.querySelectorAll('.matrix tbody tr')].map(row => ({
  rule: row.querySelector('th').innerText,
  cells: [...row.querySelectorAll('td.n')].map(td => ({text: td.innerText.trim(),
    colour: td.firstElementChild ? getComputedStyle(td.firstElementChild).backgroundColor : ''})) }));
const plots = [...document.querySelectorAll('details figure')].map(f => ({
  name: f.querySelector('b').innerText, shown: shown(f), svg: f.querySelector('svg') ? box(f.querySelector('svg')) : null,
  bound: f.querySelector('path.b') ? box(f.querySelector('path.b')) : null,
  error: f.querySelector('path.e') ? box(f.querySelector('path.e')) : null,
  crosses: f.querySelector('path.x') ? box(f.querySelector('path.x')) : null }));
const anatomy = [...document.querySelectorAll('.anatomy figure')].map(f => ({
  svg: box(f.querySelector('svg')), dots: box(f.querySelector('path.d')), crosses: !!f.querySelector('path.x') }));
const boxes = where => [...document.querySelectorAll(where)].filter(shown).map(box);
const seen = {text: document.body.innerText, texts, cells, plots, anatomy,
  verdicts: boxes('.overview .verdict'), heads: boxes('.matrix thead th.n'),
  background: light(behind(document.body)),
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  loaded: performance.getEntriesByType('resource').length,
  open: [...document.querySelectorAll('details')].map(d => [d.id, d.open]),
  alerted: !!window.alerted};
const out = document.createElement('pre'); out.id = 'seen';
out.textContent = btoa(unescape(encodeURIComponent(JSON.stringify(seen)))); document.body.append(out);
