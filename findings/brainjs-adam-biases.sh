#!/bin/bash
# With praxis "adam", brain.js moves a bias by the moments that it had before the gradient came in.
#
# Versions:  brain.js 1.6.1, node 18 or newer.
# Behaviour: the first step moves all weights by the learning rate, and no bias; from then on a bias is one gradient
#            behind, and its moments of step t-1 are divided by the corrections of step t.
# Source:    brain.js/src/neural-network.js, _adjustWeightsAdam: biasMomentumCorrection and biasGradientCorrection are
#            formed of this.biasChangesLow and this.biasChangesHigh before these get biasChangeLow and
#            biasChangeHigh. For the weights changeLow and changeHigh themselves are used.
# Advice:    Use biasChangeLow and biasChangeHigh in these two lines.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$home" brain.js@1.6.1 || exit 2
cat > "$home/program.cjs" <<'PROGRAM'
const { NeuralNetwork } = require("brain.js");

const network = new NeuralNetwork();
network.sizes = [1, 1];
network.trainOpts.praxis = "adam";
network.initialize();
const moved = [];
for (let t = 1; t <= 3; t++) {
  const [weight, bias] = [network.weights[1][0][0], network.biases[1][0]];
  network.train([{ input: [1], output: [1] }], { praxis: "adam", iterations: 1, learningRate: 0.01 });
  moved.push([network.weights[1][0][0] - weight, network.biases[1][0] - bias]);
  const [w, b] = moved[t - 1].map((x) => x.toPrecision(3));
  console.log(`step ${t}: the weight of an input of 1 moves by ${w}, the bias by ${b}`);
}
if (moved[0][1] !== 0 || moved[0][0] === 0) {
  console.log("CHANGED: the first step moves the bias, or not the weight");
  process.exit(1);
}
console.log("as described: the bias has the same gradients as the weight, and the first step does not move it");
PROGRAM
cd "$home" && node program.cjs
