// What is on the page: the settings, the table of steps, and one step operation by operation.
"use strict";

const MOST = 32; // steps
const ROUND = { float64: DOUBLE, float32: Math.fround };
const FIRST = {
  a: { dialect: "torch.Adam", precision: "float64", axes: {} },
  b: { dialect: "torch-1.2.Adam", precision: "float64", axes: {} },
  hyper: { ...DATA.hyper, lr: 0.1 }, p: "1",
  gradients: ["0.5", "-0.25", "", "0.001", "0", "0.3", "1", "-2"],
};
const $ = (id) => document.getElementById(id);
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

let model = restored();
let selected = 0;

function restored() {
  try {
    const saved = JSON.parse(decodeURIComponent(location.hash.slice(1)));
    const side = (name) => {
      const given = saved[name];
      if (!DATA.dialects[given.dialect] || !ROUND[given.precision]) throw new Error("unknown");
      const axes = Object.entries(given.axes).filter(([axis, value]) => DATA.axes[axis]?.some((each) => each.value === value));
      return { dialect: given.dialect, precision: given.precision, axes: Object.fromEntries(axes) };
    };
    const hyper = { ...FIRST.hyper };
    for (const name in hyper) if (name in saved.hyper) hyper[name] = String(saved.hyper[name]);
    return { a: side("a"), b: side("b"), hyper, p: String(saved.p), gradients: saved.gradients.slice(0, MOST).map(String) };
  } catch {
    return structuredClone(FIRST);
  }
}

// The choices of a side on every axis: the dialect's, and what was changed.
function axesOf(side) {
  const defaults = Object.fromEntries(Object.entries(DATA.axes).map(([axis, values]) => [axis, values[0].value]));
  return { ...defaults, ...DATA.dialects[side.dialect].axes, ...side.axes };
}

function adamOf(side) {
  const hyper = Object.fromEntries(Object.entries(model.hyper).map(([name, x]) => [name, number(x)]));
  if (!hyper.lr_max) hyper.lr_max = hyper.lr;
  return { ...axesOf(side), ...hyper };
}

// A number as it is typed; NaN if it is none.
function number(text) {
  const typed = String(text).trim();
  return typed === "" || !/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(typed) ? NaN : Number(typed);
}

// Why the settings are no Adam, or "".
function problem() {
  for (const [name, x] of Object.entries(model.hyper)) {
    const value = number(x), below = name === "b1" || name === "b2" ? 1 : Infinity;
    if (!(value >= 0 && value < below)) return `${name} is ${x || "blank"}: expected a number in [0, ${below === 1 ? "1" : "∞"})`;
  }
  if (!Number.isFinite(number(model.p))) return `p is ${model.p || "blank"}: expected a number`;
  for (const [k, g] of model.gradients.entries())
    if (g.trim() !== "" && !Number.isFinite(number(g))) return `gradient ${k + 1} is ${g}: expected a number, or a blank`;
  for (const name of ["a", "b"]) {
    const adam = adamOf(model[name]), who = name.toUpperCase();
    if (adam.eps_root && adam.epsilon.startsWith("inside")) return `${who}: eps_root stands with an epsilon outside`;
    if (adam.cautious_decay && adam.decay === "l2" && adam.weight_decay) return `${who}: cautious_decay stands with a decoupled decay`;
    if (/relative|squared/.test(adam.decay) && adam.weight_decay && !adam.lr_max) return `${who}: this decay needs an lr_max above 0`;
  }
  return "";
}

// The settings ------------------------------------------------------------------------------------

function drawSide(name) {
  const side = model[name], box = $(`side-${name}`), axes = axesOf(side);
  const open = box.querySelector("details")?.open ?? window.innerWidth > 1000;
  const dialects = make("select", { id: `${name}-dialect` });
  for (const each of Object.keys(DATA.dialects).sort((x, y) => x.localeCompare(y))) dialects.append(make("option", { value: each }, each));
  dialects.value = side.dialect;
  dialects.onchange = () => { Object.assign(side, { dialect: dialects.value, axes: {} }); drawSide(name); show(); $(`${name}-dialect`).focus(); };
  const precisions = make("select", { id: `${name}-precision` });
  for (const each of Object.keys(ROUND)) precisions.append(make("option", { value: each }, each));
  precisions.value = side.precision;
  precisions.onchange = () => { side.precision = precisions.value; show(); };
  const grid = make("div", { className: "grid" });
  for (const [axis, values] of Object.entries(DATA.axes)) {
    const chosen = make("select", { id: `${name}-${axis}` });
    values.forEach((each, i) => chosen.append(make("option", { value: i, title: each.says }, String(each.value))));
    chosen.value = values.findIndex((each) => each.value === axes[axis]);
    chosen.onchange = () => { side.axes[axis] = values[chosen.value].value; drawSide(name); show(); $(`${name}-${axis}`).focus(); };
    const now = values[chosen.value];
    grid.append(make("label", { title: `${now.says} (${now.rule})` }, axis, chosen));
  }
  const changed = Object.keys(side.axes).length ? ", changed" : "";
  const rules = make("details", { open }, make("summary", {}, `Its axes${changed}`), grid);
  box.replaceChildren(make("legend", {}, name.toUpperCase()), make("div", { className: "grid" },
    make("label", {}, "dialect", dialects), make("label", {}, "precision", precisions)), rules);
}

function drawNumbers() {
  const field = (name, value, set) => {
    const input = make("input", { id: `n-${name}`, value, inputMode: "decimal", spellcheck: false });
    input.oninput = () => { set(input.value); show(); };
    return make("label", {}, name, input);
  };
  $("numbers").replaceChildren(field("p", model.p, (x) => { model.p = x; }),
    ...Object.keys(model.hyper).map((name) => field(name, model.hyper[name], (x) => { model.hyper[name] = x; })));
}

// The steps ---------------------------------------------------------------------------------------

function drawRows() {
  const body = $("steps").tBodies[0];
  body.replaceChildren(...model.gradients.map((g, k) => {
    const input = make("input", { value: g, inputMode: "decimal", spellcheck: false, placeholder: "absent", ariaLabel: `gradient of step ${k + 1}` });
    input.oninput = () => { model.gradients[k] = input.value; show(); };
    input.onfocus = () => { selected = k; show(); };
    input.onkeydown = (event) => {
      const to = { Enter: 1, ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!to) return;
      event.preventDefault();
      body.rows[k + to]?.querySelector("input").focus();
    };
    const row = make("tr", {}, make("td", {}, String(k + 1)), make("td", {}, input));
    for (let i = 0; i < 9; i++) row.append(make("td"));
    row.onclick = () => { selected = k; show(); };
    return row;
  }));
}

function written(x, precision) {
  if (x === undefined) return "";
  if ($("digits").checked) return String(x);
  const text = x.toPrecision(precision === "float32" ? 7 : 8);
  return x !== 0 && (Math.abs(x) < 1e-4 || Math.abs(x) >= 1e7) ? x.toExponential(6) : text;
}

function show() {
  const wrong = problem();
  $("problem").textContent = wrong;
  if (wrong) return;
  const gradients = model.gradients.map((g) => (g.trim() === "" ? null : number(g)));
  const began = performance.now();
  const runs = ["a", "b"].map((name) => run(adamOf(model[name]), number(model.p), gradients, ROUND[model[name].precision]));
  const took = performance.now() - began;
  drawResults(runs);
  drawDetail(gradients, runs);
  history.replaceState(null, "", `#${encodeURIComponent(JSON.stringify(model))}`);
  window.shown = { runs, took }; // for the test
}

function drawResults([a, b]) {
  const first = model.gradients.findIndex((_, k) => a[k] && b[k] && !(Object.is(a[k].p, b[k].p) && a[k].error === b[k].error));
  for (const [k, row] of [...$("steps").tBodies[0].rows].entries()) {
    row.classList.toggle("first", k === first);
    if (k === selected) row.setAttribute("aria-current", "step"); else row.removeAttribute("aria-current");
    row.cells[0].replaceChildren(...(k === first ? [make("span", { className: "badge" }, "first difference")] : []), String(k + 1));
    [["a", a[k], b[k], 2], ["b", b[k], a[k], 6]].forEach(([name, state, other, at]) =>
      ["t", "m", "v", "p"].forEach((part, i) => {
        const cell = row.cells[at + i], x = state?.[part];
        cell.textContent = state?.error ? (part === "p" ? "refused" : "") : part === "t" ? (x ?? "") : written(x, model[name].precision);
        cell.title = state?.error ?? (x === undefined ? "" : String(x));
        cell.classList.toggle("differs", Boolean(state && other) && !Object.is(x, other[part]));
        cell.classList.toggle("still", Boolean(state?.still));
      }));
    const gap = a[k] && b[k] && !a[k].error && !b[k].error ? (a[k].p - b[k].p) / number(model.hyper.lr) : NaN;
    row.cells[10].textContent = Number.isNaN(gap) ? "" : gap === 0 ? "0" : gap.toExponential(2);
  }
  $("outcome").textContent = first < 0 ? "p is the same, bit for bit, after every step."
    : `p differs for the first time after step ${first + 1}.`;
}

function drawDetail(gradients, runs) {
  const names = { "+": "+", "-": "−", "*": "×", "/": "÷" };
  const columns = ["a", "b"].map((name, i) => {
    const side = model[name], adam = adamOf(side), round = ROUND[side.precision];
    const before = selected ? runs[i][selected - 1] : start(number(model.p), round);
    if (!before || before.error || gradients[selected] === undefined) return make("div");
    const now = stepOf(adam, before, gradients[selected], round, true);
    const title = make("h2", {}, `${name.toUpperCase()}, step ${selected + 1}: ${side.dialect} in ${side.precision}`);
    if (now.error || now.still) return make("div", {}, title, make("p", {}, now.error || "The gradient is absent: parameter and moments stay as they are, bit for bit."));
    const c1 = HOST.complement_power(adam.b1, now.t), c2 = HOST.complement_power(adam.b2, now.t);
    const facts = { "t": now.t, "1 − b1^t": c1, "1 − b2^t": c2, "m ÷ (1 − b1^t)": now.m / c1, "v ÷ (1 − b2^t)": now.v / c2, "update, p before − p": before.p - now.p };
    const used = Object.entries(now.c).filter(([, x]) => x !== null);
    const table = (rows) => { const t = make("table"); for (const row of rows) t.append(make("tr", {}, ...row.map((x) => make("td", {}, x)))); return make("div", { className: "scroll" }, t); };
    const w = (x) => written(x, side.precision);
    return make("div", {}, title, table(Object.entries(facts).map(([k, x]) => [k, k === "t" ? String(x) : w(x)])),
      make("details", { open: name === "a" ? detailOpen.a : detailOpen.b, ontoggle() { detailOpen[name] = this.open; } },
        make("summary", {}, `${now.ops.length} operations on the number, ${used.length} coefficients`),
        table(used.map(([k, x]) => [k, w(x)])),
        table(now.ops.map(({ kind, args, value }, k) => [String(k + 1),
          names[kind] ? `${w(args[0])} ${names[kind]} ${w(args[1])}` : `${kind} ${args.map(w).join(", ")}`, `= ${w(value)}`]))));
  });
  $("detail").replaceChildren(make("div", { className: "pair" }, ...columns));
}
const detailOpen = { a: false, b: false };

// What the buttons do -----------------------------------------------------------------------------

for (const button of document.querySelectorAll("[data-defaults]"))
  button.onclick = () => {
    const { defaults } = DATA.dialects[model[button.dataset.defaults].dialect];
    model.hyper = { ...DATA.hyper, ...defaults };
    drawNumbers();
    show();
  };
$("add").onclick = () => { if (model.gradients.length < MOST) { model.gradients.push(""); drawRows(); show(); } };
$("remove").onclick = () => { if (model.gradients.length > 1) { model.gradients.pop(); selected = Math.min(selected, model.gradients.length - 1); drawRows(); show(); } };
$("digits").onchange = show;
$("setup").onsubmit = (event) => event.preventDefault();

function drawAll() {
  drawSide("a");
  drawSide("b");
  drawNumbers();
  drawRows();
  show();
}
drawAll();
