// Holds each manifest of the files named against the schema of its kind. The last line counts them.
const fs = require("fs");
const yaml = require("js-yaml");
const { Deployment } = require("kubernetes-models/apps/v1/Deployment");
const { Service } = require("kubernetes-models/v1/Service");

const kinds = { Deployment, Service };
let passed = 0;
let failed = 0;
for (const path of process.argv.slice(2)) {
  for (const item of yaml.load(fs.readFileSync(path, "utf8")).items) {
    try {
      new kinds[item.kind](item).validate();
      passed++;
    } catch (error) {
      console.log(`${path}: ${item.kind} ${item.metadata.name}: ${error.message}`);
      failed++;
    }
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
