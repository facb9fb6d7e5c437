// The numbers that the definition runs on: doubles, float32, and the host's arithmetic of coefficients.
"use strict";

const MAX_CLOCK = 2 ** 31 - 1;

// Operations that are rounded once, to a double or to float32. A trace, if there is one, takes each.
function operations(round, trace = null) {
  const keep = (kind, args, value) => {
    if (trace) trace.push({ kind, args, value });
    return value;
  };
  const op = (kind, f) => (...args) => {
    const rounded = args.map(round); // a coefficient meets an array in the array's precision
    return keep(kind, rounded, round(f(...rounded)));
  };
  return {
    add: op("+", (a, b) => a + b),
    sub: op("-", (a, b) => a - b),
    mul: op("*", (a, b) => a * b),
    div: op("/", (a, b) => a / b),
    neg: op("negate", (a) => -a),
    sqrt: op("sqrt", Math.sqrt),
    sign: op("sign", (a) => (a > 0 ? 1 : a < 0 ? -1 : a)),
    maximum: op("max", (a, b) => (Number.isNaN(a) || Number.isNaN(b) ? NaN : a > b ? a : b)),
  };
}
const DOUBLE = (x) => x;

// log(b) as high + low, high of at most 22 bits, so that t*high is exact: in fixed point of 240 bits.
const BITS = 240n;
const logs = new Map();
function splitLog(b) {
  if (b === 0) return [-Infinity, 0];
  if (!logs.has(b)) {
    const exact = fixedLog(b);
    const nearest = toDouble(exact);
    const exponent = Math.floor(Math.log2(Math.abs(nearest))) + 1; // |nearest| is in [2**(e-1), 2**e)
    const scale = Math.abs(nearest) >= 2 ** exponent ? exponent + 1 : Math.abs(nearest) < 2 ** (exponent - 1) ? exponent - 1 : exponent;
    const high = roundEven(nearest * 2 ** (22 - scale)) * 2 ** (scale - 22);
    logs.set(b, [high, toDouble(exact - fixed(high))]);
  }
  return logs.get(b);
}

function roundEven(x) {
  const down = Math.floor(x), rest = x - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 !== 0) ? down + 1 : down;
}

function fixed(x) { // a double that is no longer than 240 bits behind the point
  let e = 0;
  while (x !== Math.floor(x)) { x *= 2; e++; }
  return (BigInt(x) << BITS) >> BigInt(e);
}

function toDouble(n) { // rounded once
  const negative = n < 0n;
  let m = negative ? -n : n;
  if (m === 0n) return 0;
  const drop = Math.max(m.toString(2).length - 54, 0);
  const sticky = drop && (m & ((1n << BigInt(drop)) - 1n)) !== 0n;
  const top = m >> BigInt(drop); // 54 bits: one more than a double has
  let whole = top >> 1n;
  const half = top & 1n;
  if (half && (sticky || whole & 1n)) whole += 1n;
  if (drop === 0) whole = m; // short enough to be exact
  const value = Number(whole) * 2 ** (drop ? drop + 1 - Number(BITS) : -Number(BITS));
  return negative ? -value : value;
}

function fixedLog(b) { // 2*atanh(z) of the significand, and the exponent times log(2)
  let e = 0, m = b;
  while (m < 0.75) { m *= 2; e--; }
  return atanhSeries(fixed(m) - (1n << BITS), fixed(m) + (1n << BITS)) + BigInt(e) * LOG2;
}

function atanhSeries(numerator, denominator) {
  const z = (numerator << BITS) / denominator, square = (z * z) >> BITS;
  let sum = 0n, power = z;
  for (let k = 1n; power !== 0n && power !== -1n; k += 2n) {
    sum += power / k;
    power = (power * square) >> BITS;
  }
  return 2n * sum;
}
const LOG2 = atanhSeries(1n << BITS, 3n << BITS);

// Coefficients are formed in double, as adamcore/coefficients.py forms them on the host.
const HOST = {
  number: (x) => x,
  sqrt: Math.sqrt,
  power: (base, k, rate) => Math.pow(base, k * rate),
  successor: (t) => Math.min(t + 1, MAX_CLOCK),
  complement: (b) => 1 - b,
  complement_power(b, t) {
    const [high, low] = splitLog(b);
    const e = Math.expm1(t * high);
    return -(e + (1 + e) * Math.expm1(t * low));
  },
  keep: (kept, weight) => (weight <= 0.5 ? null : kept),
};

const IN_DOUBLE = definition(operations(DOUBLE));

function coefficientsOf(adam, t, lr, muProduct) {
  return IN_DOUBLE.coefficients(HOST, adam, t, lr, muProduct);
}

// The state before the first step, in a precision: DOUBLE or Math.fround.
function start(p, round) {
  return { p: round(p), m: 0, v: 0, v_max: 0, t: 0, mu_product: 1 };
}

// One step of one number. g is null where the gradient is absent. Returns the new state, with the
// coefficients and, if asked for, the operations; `error` where the axes refuse an absent gradient.
function stepOf(adam, state, g, round, traced = false, given = null) {
  if (g === null && adam.missing === "error") return { ...state, error: "an absent gradient is an error" };
  if (g === null && adam.missing === "skip") {
    const ticks = adam.clock === "global" && adam.all_missing === "tick";
    if (adam.clock === "global" && adam.all_missing === "error")
      return { ...state, error: "a step without any gradient is an error" };
    if (!ticks) return { ...state, still: true, c: null, ops: [] };
    const t = HOST.successor(state.t);
    const c = coefficientsOf(adam, t, adam.lr, state.mu_product);
    return { ...state, t, mu_product: c.mu_product ?? 1, still: true, c: null, ops: [] };
  }
  const trace = traced ? [] : null;
  const o = operations(round, trace);
  const t = HOST.successor(state.t);
  const c = given ?? coefficientsOf(adam, t, adam.lr, state.mu_product);
  const maximum = adam.amsgrad === "none" ? null : state.v_max;
  const [[[p, m]], v, v_max] =
    definition(o).update(o, adam, c, [[state.p, round(g ?? 0), state.m]], state.v, maximum);
  return { p, m, v, v_max: v_max ?? 0, t, mu_product: c.mu_product ?? 1, c, ops: trace ?? [], still: false };
}

// All steps: an array of the states after each.
function run(adam, p, gradients, round, traced = false) {
  const states = [];
  let state = start(p, round);
  for (const g of gradients) {
    state = stepOf(adam, state, g, round, traced);
    states.push(state);
    if (state.error) break;
  }
  return states;
}

if (typeof module !== "undefined") module.exports = { coefficientsOf, run, start, stepOf, splitLog, DOUBLE };
