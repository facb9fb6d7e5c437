// A driver for the Adam of TensorFlow.js (docs/protocol.md).
//
//     npm install
//     adamcore check 'cmd:node driver.mjs'
//
// An optimizer of tfjs keeps its moments in the order in which variables are passed to it. A gradient
// that is null in that list is absent.

import readline from "node:readline";

console.log = console.info = console.warn = console.error; // standard output belongs to the protocol
const tf = await import("@tensorflow/tfjs");
await tf.setBackend("cpu");

let optimizer, variables;

const word = new DataView(new ArrayBuffer(4));

function tensor({ shape, bits }) {
  const words = bits === "" ? [] : bits.split(" ");
  const values = words.map((hex) => (word.setUint32(0, parseInt(hex, 16)), word.getFloat32(0)));
  return tf.tensor(Float32Array.from(values), shape, "float32");
}

function packed(variable) {
  const words = Array.from(variable.dataSync(), (value) => {
    word.setFloat32(0, value);
    return word.getUint32(0).toString(16).padStart(8, "0");
  });
  return { dtype: "float32", shape: variable.shape, bits: words.join(" ") };
}

const answers = {
  start: () => ({
    protocol: 1,
    dialect: "tfjs.Adam",
    hyper: ["lr", "b1", "b2", "eps"],
    dtypes: ["float32"],
    can: ["set_lr"],
  }),

  init({ params, hyper: { lr, b1, b2, eps } }) {
    tf.disposeVariables();
    optimizer = tf.train.adam(lr, b1, b2, eps);
    variables = params.map((p, i) => tf.variable(tensor(p), true, `parameter${i}`));
    return { ok: true };
  },

  step({ grads, lr }) {
    optimizer.learningRate = lr;
    const given = grads.map((g) => (g === null ? null : tensor(g)));
    optimizer.applyGradients(variables.map(({ name }, i) => ({ name, tensor: given[i] })));
    given.forEach((g) => g?.dispose());
    return { params: variables.map(packed) };
  },
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
