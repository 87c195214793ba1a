// A client that knows nothing of Matinee but an address: it learns the schema by server reflection, calls every
// method, and prints what it was answered as one JSON document. Usage: node client.js ADDRESS USER_ID ITEM_ID
// MATINEE_CA names whom to trust, for TLS; MATINEE_TOKEN is what to show.

"use strict";

const fs = require("node:fs");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const { MATINEE_CA, MATINEE_TOKEN } = process.env;
const OPTIONS = { keepCase: true, defaults: true };

// The part of grpc.reflection.v1alpha that is needed here; every gRPC tool brings it.
const REFLECTION = {
  nested: {
    ServerReflection: {
      methods: {
        ServerReflectionInfo: {
          requestType: "Question", requestStream: true, responseType: "Answer", responseStream: true,
        },
      },
    },
    Question: {
      fields: {
        file_containing_symbol: { type: "string", id: 4 },
        list_services: { type: "string", id: 7 },
      },
    },
    Answer: {
      fields: { files: { type: "Files", id: 4 }, services: { type: "Services", id: 6 } },
    },
    Files: { fields: { file: { rule: "repeated", type: "bytes", id: 1 } } },
    Services: { fields: { service: { rule: "repeated", type: "Service", id: 1 } } },
    Service: { fields: { name: { type: "string", id: 1 } } },
  },
};

function reflection(address, credentials) {
  const json = { nested: { grpc: { nested: { reflection: { nested: { v1alpha: REFLECTION } } } } } };
  const { grpc: loaded } = grpc.loadPackageDefinition(loader.fromJSON(json, OPTIONS));
  return new loaded.reflection.v1alpha.ServerReflection(address, credentials);
}

function reflect(client, question) {
  return new Promise((resolve, reject) => {
    const stream = client.ServerReflectionInfo(shown(MATINEE_TOKEN));
    stream.on("data", (answer) => { resolve(answer); stream.end(); });
    stream.on("error", reject);
    stream.write(question);
  });
}

// A FileDescriptorSet is its files one after the other, each as field 1 with its length before it.
function descriptorSet(files) {
  return Buffer.concat(files.flatMap((file) => [Buffer.from([0x0a]), varint(file.length), file]));
}

function varint(value) {
  const bytes = [];
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
  return Buffer.from([...bytes, value]);
}

const refusal = (error) => ({ code: grpc.status[error.code], details: error.details });

const within = () => ({ deadline: Date.now() + 30_000 });

function shown(token) {
  const metadata = new grpc.Metadata();
  if (token) metadata.set("authorization", `Bearer ${token}`);
  return metadata;
}

function call(client, method, request, token = MATINEE_TOKEN) {
  return new Promise((resolve) => {
    client[method](request, shown(token), within(), (error, response) => resolve(error ? refusal(error) : response));
  });
}

async function stream(client, method, request) {
  const responses = [];
  try {
    for await (const response of client[method](request, shown(MATINEE_TOKEN), within())) responses.push(response);
  } catch (error) {
    responses.push(refusal(error));
  }
  return responses;
}

async function main(address, user_id, item_id) {
  const credentials = MATINEE_CA
    ? grpc.credentials.createSsl(fs.readFileSync(MATINEE_CA))
    : grpc.credentials.createInsecure();
  const reflecting = reflection(address, credentials);
  const listed = (await reflect(reflecting, { list_services: "*" })).services.service.map(({ name }) => name);
  const name = listed.find((service) => service.startsWith("matinee."));
  const { files } = await reflect(reflecting, { file_containing_symbol: name });
  reflecting.close();

  const schema = grpc.loadPackageDefinition(loader.loadFileDescriptorSetFromBuffer(descriptorSet(files.file), OPTIONS));
  const Service = name.split(".").reduce((scope, part) => scope[part], schema);
  const client = new Service(address, credentials);
  const told = {
    services: listed,
    methods: Object.keys(Service.service),
    recommend: await call(client, "Recommend", { user_id, k: 3 }),
    by_default: await call(client, "Recommend", { user_id }),
    similar: await call(client, "SimilarItems", { item_id, k: 2 }),
    predicted: await call(client, "PredictRatings", { user_id, item_ids: [item_id] }),
    items: await call(client, "GetItems", { item_ids: [item_id] }),
    filtered: await call(client, "Recommend", { user_id, k: 3, only_item_ids: ["i1", "i2", "i3", "i4"], no_tags: ["even"] }),
    from_ratings: await call(client, "RecommendFromRatings", { ratings: [{ item_id, rating: 5 }], k: 2 }),
    batch: await stream(client, "BatchRecommend", { user_ids: [user_id, "nobody", user_id], k: 3 }),
    empty_batch: await stream(client, "BatchRecommend", {}),
    unknown_user: await call(client, "Recommend", { user_id: "nobody" }),
    stranger: await call(client, "Recommend", { user_id }, "not-the-token"),
    k_of_zero: await call(client, "Recommend", { user_id, k: 0 }),
  };
  client.close();
  console.log(JSON.stringify(told));
}

main(...process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
