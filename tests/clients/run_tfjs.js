// Runs models of TensorFlow.js (model.json of layers). Standard input: {modules: their folder, models:
// [path], x: {dims, data: base64 of float32}}. Standard output: for each model {dims, data: base64}.
const fs = require('fs');
const path = require('path');
const {modules, models, x} = JSON.parse(fs.readFileSync(0, 'utf8'));
const tf = require(path.join(modules, '@tensorflow/tfjs-core'));
const layers = require(path.join(modules, '@tensorflow/tfjs-layers'));
require(path.join(modules, '@tensorflow/tfjs-backend-cpu'));

// What tf.loadLayersModel(URL) fetches, from files.
function filesOf(model) {
  const {modelTopology, weightsManifest} = JSON.parse(fs.readFileSync(model, 'utf8'));
  const shards = weightsManifest.flatMap(group => group.paths)
      .map(name => fs.readFileSync(path.join(path.dirname(model), name)));
  return {
    modelTopology,
    weightSpecs: weightsManifest.flatMap(group => group.weights),
    weightData: new Uint8Array(Buffer.concat(shards)).buffer,
  };
}

async function main() {
  const bytes = new Uint8Array(Buffer.from(x.data, 'base64'));
  const input = tf.tensor(new Float32Array(bytes.buffer), x.dims);
  const results = [];
  for (const file of models) {
    const model = await layers.loadLayersModel({load: async () => filesOf(file)});
    const y = model.predict(input);
    results.push({dims: y.shape, data: Buffer.from((await y.data()).buffer).toString('base64')});
  }
  fs.writeFileSync(1, JSON.stringify(results));
}

main().catch(error => { console.error(error); process.exit(1); });
