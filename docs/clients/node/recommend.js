// Asks for one user's recommendations, then for those of several users at once.
//
//   npm install @grpc/grpc-js @grpc/proto-loader
//   node recommend.js 127.0.0.1:50051 42 7 8          plain text
//   MATINEE_CA=ca.pem MATINEE_TOKEN=… node recommend.js reco.example.com:443 42
//
// PROTO names the folder that matinee/v1/recommender.proto lies under.

"use strict";

const fs = require("node:fs");
const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const { MATINEE_CA, MATINEE_TOKEN, PROTO = "." } = process.env;
const [address, ...userIds] = process.argv.slice(2);

const schema = loader.loadSync("matinee/v1/recommender.proto", {
  includeDirs: [PROTO], keepCase: true, defaults: true, enums: String,
});
const { Recommender } = grpc.loadPackageDefinition(schema).matinee.v1;
const credentials = MATINEE_CA
  ? grpc.credentials.createSsl(fs.readFileSync(MATINEE_CA))
  : grpc.credentials.createInsecure();
const client = new Recommender(address, credentials, {
  "grpc.service_config": fs.readFileSync(path.join(__dirname, "..", "retries.json"), "utf8"),
});

function metadata() {
  const sent = new grpc.Metadata();
  // Only under TLS, or to this machine: in plain text anyone on the way can read it.
  if (MATINEE_TOKEN) sent.set("authorization", `Bearer ${MATINEE_TOKEN}`);
  return sent;
}

const within = (ms) => ({ deadline: Date.now() + ms });

function recommend(request) {
  return new Promise((resolve, reject) => {
    client.Recommend(request, metadata(), within(1_000), (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

async function main() {
  try {
    const { items, score_kind } = await recommend({ user_id: userIds[0], k: 5, no_tags: ["War"] });
    for (const { item_id, title, score } of items) console.log(item_id, title, score.toFixed(4), score_kind);
  } catch (error) {
    if (error.code === grpc.status.NOT_FOUND) console.log(`new here: ${error.details}`);
    else if (error.code === grpc.status.UNAVAILABLE) console.log("try again in a moment");
    else throw error;
  }
  // An answer for each user, as they come; a failure is thrown here too.
  const stream = client.BatchRecommend({ user_ids: userIds, k: 5 }, metadata(), within(600_000));
  for await (const { users } of stream) {
    for (const { user_id, items } of users) console.log(user_id, items.map(({ item_id }) => item_id).join(" "));
  }
}

main()
  .catch((error) => {
    console.error(`${grpc.status[error.code]}: ${error.details}`);
    process.exitCode = 1;
  })
  .finally(() => client.close());
