/**
 * A kind whose schema is written once, in zod: the CustomResourceDefinition and the TypeScript types come of it. A Greeting
 * becomes a ConfigMap.
 *
 * `deno run -A examples/my_crd.ts crd | kubectl apply --filename -`, then `deno run -A examples/my_crd.ts`.
 */
import { z } from "zod";
import { conditionSchema, customResourceDefinition, type ManifestOf } from "../src/kit/crd.ts";
import { ConfigMap, customResource, done, nameOf, operator } from "../src/kit/mod.ts";

const spec = z.object({
  recipient: z.string().min(1).describe("Who is greeted."),
  language: z.enum(["en", "fr"]).default("en").describe("In which language. Default en."),
});

const status = z.object({
  text: z.string().optional().describe("What was said."),
  conditions: z.array(conditionSchema).optional().describe("Facts about the greeting."),
});

const NAMES = { group: "example.com", kind: "Greeting", plural: "greetings" } as const;

export const GREETING_CRD = customResourceDefinition({
  ...NAMES,
  versions: [{
    name: "v1",
    spec,
    status,
    printerColumns: [{ name: "Text", jsonPath: ".status.text" }],
  }],
});

export const Greeting = customResource<ManifestOf<typeof spec>, ManifestOf<typeof status>>({
  ...NAMES,
  version: "v1",
});

const WORDS = { en: "Hello", fr: "Bonjour" } as const;

export const greetingOperator = operator(Greeting).owns(ConfigMap).reconcile(async (greeting, context) => {
  const { namespace = "" } = greeting.metadata;
  const { recipient, language = "en" } = greeting.spec;
  const text = `${WORDS[language]}, ${recipient}!`;
  const metadata = { name: nameOf(greeting), namespace };
  await context.apply<ConfigMap>({ apiVersion: "v1", kind: "ConfigMap", metadata, data: { text } });
  await context.setStatus(Greeting, greeting, { ...greeting.status, text });
  return done();
});

if (import.meta.main) {
  if (Deno.args[0] === "crd") console.log(JSON.stringify(GREETING_CRD, null, 2));
  else await greetingOperator.run();
}
