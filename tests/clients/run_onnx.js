// Runs ONNX models. Standard input: {runtime: a package, models: [path], feeds: [{input: tensor}]},
// a tensor is {type, dims, data: base64}. Standard output: for each model, for each feed, {output: tensor}.
const fs = require('fs');
const {runtime, models, feeds} = JSON.parse(fs.readFileSync(0, 'utf8'));
const ort = require(runtime);
if (ort.env.wasm) ort.env.wasm.numThreads = 1;

const arrays = {float32: Float32Array, int64: BigInt64Array, bool: Uint8Array};

function toTensor({type, dims, data}) {
  const bytes = new Uint8Array(Buffer.from(data, 'base64'));  // a copy of its own, so aligned
  return new ort.Tensor(type, new arrays[type](bytes.buffer), dims);
}

function fromTensor({type, dims, data}) {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return {type, dims, data: bytes.toString('base64')};
}

const mapValues = (object, f) =>
    Object.fromEntries(Object.entries(object).map(([key, value]) => [key, f(value)]));

async function main() {
  const results = [];
  for (const model of models) {
    const session = await ort.InferenceSession.create(
        new Uint8Array(fs.readFileSync(model)), {intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3});
    const outputs = [];
    for (const feed of feeds) {
      outputs.push(mapValues(await session.run(mapValues(feed, toTensor)), fromTensor));
    }
    results.push(outputs);
  }
  fs.writeFileSync(1, JSON.stringify(results));
}

main().catch(error => { console.error(error); process.exit(1); });
