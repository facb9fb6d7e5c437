#!/bin/bash
# The Adam of toygrad multiplies its moments by 1-b**t, where Adam divides by it.
#
# Versions:  toygrad 2.6.0, node 18 or newer.
# Behaviour: under a constant gradient a step is (1-b1**t)**2 / (1-b2**t) times as long as Adam's, which is lr. With
#            the usual betas that is 10 times in the first step, 31 times in step 30, 10 times in step 100 and 1.6
#            times in step 1000.
# Source:    toygrad/src/trainers/abstract.ts, train: biasCorr1 = gsumi[j] * (1 - Math.pow(this.beta1, this.k)), and
#            the same of xsumi. toygrad says that it is based on ConvNetJS, of which karpathy/convnetjs#70
#            reports the same.
# Advice:    Divide in both lines.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$home" toygrad@2.6.0 || exit 2
cat > "$home/program.mjs" <<'PROGRAM'
import { Trainers } from "toygrad";

const params = new Float64Array([0]);
const grads = new Float64Array([1]);
const network = { forward() {}, backward: () => 0, getParamsAndGrads: () => [{ params, grads }] };
const trainer = new Trainers.Adam(network, { learningRate: 0.001 });
const steps = [];
for (let t = 1; t <= 100; t++) {
  const before = params[0];
  grads[0] = 1; // a step sets them to 0
  trainer.train(null, null);
  steps.push((before - params[0]) / 0.001);
}
for (const t of [1, 2, 30, 100]) console.log(`step ${t}: ${steps[t - 1].toPrecision(4)} lr; Adam's is 1 lr`);
const wrong = (t) => (1 - 0.9 ** t) ** 2 / (1 - 0.999 ** t);
for (const t of [1, 2, 30, 100]) {
  if (Math.abs(steps[t - 1] / wrong(t) - 1) > 1e-3) {
    console.log(`CHANGED: step ${t} is not multiplied by the corrections`);
    process.exit(1);
  }
}
console.log("as described: the moments are multiplied by 1-b**t");
PROGRAM
cd "$home" && node program.mjs
