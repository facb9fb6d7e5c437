// A driver for the Adams of packages of npm (docs/protocol.md): node driver.mjs toygrad | js-pytorch |
// brain.js-weights | brain.js-biases

import readline from "node:readline";

console.log = console.info = console.warn = console.error; // standard output belongs to the protocol

const view = new DataView(new ArrayBuffer(8));

function numbers({ dtype, bits }) {
  const words = bits === "" ? [] : bits.split(" ");
  if (dtype === "float32") {
    return Float32Array.from(words, (word) => (view.setUint32(0, parseInt(word, 16)), view.getFloat32(0)));
  }
  return Float64Array.from(words, (word) => (view.setBigUint64(0, BigInt(`0x${word}`)), view.getFloat64(0)));
}

function packed(values, { dtype, shape }) {
  const words = Array.from(values, (value) => {
    if (dtype === "float32") {
      view.setFloat32(0, value);
      return view.getUint32(0).toString(16).padStart(8, "0");
    }
    view.setFloat64(0, value);
    return view.getBigUint64(0).toString(16).padStart(16, "0");
  });
  return { dtype, shape, bits: words.join(" ") };
}

// A trainer of toygrad steps what its network lists; its moments are arrays of float32.
async function toygrad() {
  const { Trainers } = await import("toygrad");
  let trainer, list, given;
  return {
    about: { hyper: ["lr", "b1", "b2", "eps", "weight_decay"], dtypes: ["float32"], can: ["set_lr"] },
    init(params, { lr, b1, b2, eps, weight_decay }) {
      list = params.map((p) => ({ params: numbers(p), grads: null }));
      const network = { forward() {}, backward: () => 0, getParamsAndGrads: () => given };
      const options = { learningRate: lr, beta1: b1, beta2: b2, eps, l2decay: weight_decay };
      trainer = new Trainers.Adam(network, options);
    },
    step(grads, lr) {
      if (grads.includes(null)) throw new Error("a gradient is absent");
      trainer.learningRate = lr;
      given = list.map(({ params }, i) => ({ params, grads: numbers(grads[i]) }));
      trainer.train(null, null);
      return list.map(({ params }) => params);
    },
  };
}

// js-pytorch's tensors are nested arrays of doubles; one dimension is enough for a step.
async function jsPytorch() {
  const { torch } = await import("js-pytorch");
  let optimizer, tensors;
  return {
    about: { hyper: ["lr", "b1", "b2", "eps", "weight_decay"], dtypes: ["float64"], can: ["set_lr"] },
    init(params, { lr, b1, b2, eps, weight_decay }) {
      tensors = params.map((p) => torch.tensor(Array.from(numbers(p)), true));
      optimizer = new torch.optim.Adam(tensors, lr, weight_decay, [b1, b2], eps);
    },
    step(grads, lr) {
      if (grads.includes(null)) throw new Error("a gradient is absent");
      optimizer.lr = lr;
      tensors.forEach((tensor, i) => (tensor._grad = torch.tensor(Array.from(numbers(grads[i])))));
      optimizer.step();
      return tensors.map(({ data }) => data);
    },
  };
}

// A network of one input, which is 1: a weight, or a bias, for each element.  Its deltas are -gradients.
async function brain(kind) {
  const { default: brain } = await import("brain.js");
  let network, list;
  const elements = () => (kind === "weights" ? network.weights[1].map(([w]) => w) : network.biases[1]);
  return {
    about: { hyper: ["lr", "b1", "b2", "eps"], dtypes: ["float32"], can: ["set_lr"] },
    init(params, { lr, b1, b2, eps }) {
      list = params.map((p) => numbers(p));
      const start = list.flatMap((p) => [...p]);
      network = new brain.NeuralNetwork();
      network.sizes = [1, start.length];
      Object.assign(network.trainOpts, { praxis: "adam", learningRate: lr, beta1: b1, beta2: b2, epsilon: eps });
      network.initialize();
      network.outputs[0] = [1];
      start.forEach((value, i) => {
        network.weights[1][i][0] = value;
        network.biases[1][i] = value;
      });
    },
    step(grads, lr) {
      if (grads.includes(null)) throw new Error("a gradient is absent");
      network.trainOpts.learningRate = lr;
      network.deltas[1] = grads.flatMap((g) => [...numbers(g)]).map((g) => -g);
      network.adjustWeights();
      const after = [...elements()];
      return list.map((p) => after.splice(0, p.length));
    },
  };
}

const drivers = {
  toygrad,
  "js-pytorch": jsPytorch,
  "brain.js-weights": () => brain("weights"),
  "brain.js-biases": () => brain("biases"),
};
const { about, init, step } = await drivers[process.argv[2]]();
let forms;

const answers = {
  start: () => ({ protocol: 1, ...about }),
  init({ params, hyper }) {
    if (params.some(({ dtype }) => dtype.startsWith("complex"))) return { skip: "no complex parameters" };
    forms = params;
    init(params, { weight_decay: 0, ...hyper });
    return { ok: true };
  },
  step: ({ grads, lr }) => ({ params: step(grads, lr).map((values, i) => packed(values, forms[i])) }),
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const message = JSON.parse(line);
  if (message.cmd === "stop") break;
  let answer;
  try {
    answer = answers[message.cmd]?.(message) ?? { skip: `it has no ${message.cmd}` };
  } catch (error) {
    answer = { error: `${error.name}: ${error.message}` };
  }
  process.stdout.write(JSON.stringify({ seq: message.seq, ...answer }) + "\n");
}
process.stdin.destroy(); // otherwise node waits for more input
