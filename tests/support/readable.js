// What of a page cannot be read: texts of little contrast, and things wider than the page (test_site_in_browser.py).
(() => {
  const parse = (c) => { const n = (c.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number); return n.length > 3 ? n : [...n, 1] };
  const over = (top, under) => [0, 1, 2].map((k) => top[k] * top[3] + under[k] * (1 - top[3]));
  const light = (c) => c.map((x) => x / 255).map((x) => x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4)
    .reduce((sum, x, k) => sum + x * [.2126, .7152, .0722][k], 0);
  const paper = parse(getComputedStyle(document.documentElement).backgroundColor);
  const background = (e) => {  // all layers behind an element, from the page up
    const layers = [];
    for (; e; e = e.parentElement) layers.unshift(parse(getComputedStyle(e).backgroundColor));
    return layers.reduce((under, top) => over(top, under), paper[3] ? paper.slice(0, 3) : [255, 255, 255]);
  };
  const shown = (e) => e.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && e.getClientRects().length;
  const pale = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement, said = walker.currentNode.data.trim();
    if (!said || e.closest('script, style, svg, noscript') || !shown(e)) continue;
    const style = getComputedStyle(e), size = parseFloat(style.fontSize), under = background(e);
    const [a, b] = [light(over(parse(style.color), under)), light(under)];
    const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    const large = size >= 24 || (size >= 18.66 && parseInt(style.fontWeight) >= 700);
    if (contrast < (large ? 3 : 4.5)) {
      const where = e.tagName.toLowerCase() + (e.className ? '.' + String(e.className).replace(/\s+/g, '.') : '');
      const parent = e.parentElement.tagName.toLowerCase() + '.' + String(e.parentElement.className).replace(/\s+/g, '.');
      const key = `${parent} > ${where} ${style.color}`;
      if (!pale.has(key)) pale.set(key, `${key} on ${under.map(Math.round)}: ${contrast.toFixed(2)}, "${said.slice(0, 30)}"`);
    }
  }
  return { pale: [...pale.values()], overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth };
})()
