// An AdamW in a few lines of JavaScript, compared with the vectors of torch.AdamW.
//
//     adamcore vectors --for javascript --dialect torch.AdamW > adam_vectors.mjs
//     node vectors_adamw.mjs

import { cases } from "./adam_vectors.mjs";

const f = Math.fround; // rounds to float32: a * b of two of them is exact in a double

// The implementation under test: one step; t is the clock, 1 in the first step.
function adamw(p, m, v, g, t, lr, { b1, b2, eps, weight_decay }) {
  const w1 = f(1 - b1), w2 = f(1 - b2), decay = f(lr * weight_decay);
  const step = f(lr / -Math.expm1(t * Math.log(b1))), root = f(Math.sqrt(-Math.expm1(t * Math.log(b2))));
  for (let i = 0; i < p.length; i++) {
    m[i] = f(f(b1) * m[i]) + f(w1 * g[i]); // an assignment to a Float32Array rounds
    v[i] = f(f(b2) * v[i]) + f(f(w2 * g[i]) * g[i]);
    const denominator = f(f(f(Math.sqrt(v[i])) / root) + f(eps));
    p[i] = f(p[i] - f(decay * p[i])) - f(step * f(m[i] / denominator));
  }
}

let right = 0;
for (const c of cases) {
  const now = { p: c.p0.slice(), m: c.m0.slice(), v: c.v0.slice() };
  let wrong = "";
  for (let s = 0; s < c.steps && !wrong; s++) {
    const before = { p: now.p.slice(), m: now.m.slice(), v: now.v.slice() };
    const g = c.g.subarray(s * c.size, (s + 1) * c.size);
    if (c.present[s]) adamw(now.p, now.m, now.v, g, c.t[s], c.lr[s], c);
    for (const name of ["m", "v", "p"])
      for (let i = 0; i < c.size; i++) {
        const k = s * c.size + i, near = Math.abs(now[name][i] - c[name][k]) <= c[name + "_bound"][k];
        if (!near || (!c.present[s] && !Object.is(now[name][i], before[name][i])))
          wrong ||= `${c.id}: ${name}[${i}] is wrong after step ${s + 1} (${c.flags})`;
      }
  }
  if (wrong) console.log(wrong);
  else right++;
}
console.log(`${right} of ${cases.length} cases within their bounds`);
process.exitCode = right === cases.length ? 0 : 1;
