/**
 * The import and purity rules of this repository, as a plugin of `deno lint` (deno.json: `"lint": { "plugins": [...] }`).
 *
 * Every rule turns a file's path into its layer and its syntax into findings; the law itself is in tools/import_rules.ts.
 * Caveat: a rule sees one file at a time, so import cycles are found by tools/check_cycles.ts.
 */

import {
  ENVIRONMENT_READERS,
  EVERYWHERE,
  FREE_AS_TYPES,
  FREE_LAYERS,
  IMPURE,
  IMPURE_GLOBALS,
  MAY_IMPORT,
  ONLY_IN,
  PURE,
  TYPES_ONLY_FROM,
} from "./import_rules.ts";

const REPOSITORY = decodeURIComponent(new URL("../", import.meta.url).pathname);

const importDirection: Deno.lint.Rule = {
  create(context) {
    const file = repositoryPath(context.filename);
    const layer = layerOf(file);
    if (layer === undefined) return {};
    const judge = (node: Deno.lint.Node, specifier: unknown, asType: boolean): void => {
      const message = typeof specifier === "string"
        ? importProblem(file, layer, specifier, asType)
        : `${layer} may not import a computed specifier: nobody can tell what it reaches`;
      if (message !== undefined) context.report({ node, message });
    };
    return {
      ImportDeclaration: (node) => judge(node, node.source.value, node.importKind === "type"),
      ExportAllDeclaration: (node) => judge(node, node.source.value, node.exportKind === "type"),
      ExportNamedDeclaration: (node) => {
        if (node.source !== null) judge(node, node.source.value, node.exportKind === "type");
      },
      ImportExpression: (node) => judge(node, "value" in node.source ? node.source.value : undefined, false),
      TSImportType: (node) => judge(node, literalOf(node.argument), true),
      TSExternalModuleReference: (node) => judge(node, node.expression.value, false),
    };
  },
};

const pureCore: Deno.lint.Rule = {
  create(context) {
    const file = repositoryPath(context.filename);
    if (!isUnderAny(file, PURE)) return {};
    const report = (node: Deno.lint.Node, why: string): void =>
      context.report({
        node,
        message: `A pure layer may not contain this: it ${why}`,
        hint: "Observe it in odoo/shell",
      });
    const visitor: Deno.lint.LintVisitor = {
      Identifier: (node) => {
        if (IMPURE_GLOBALS.includes(node.name) && isReference(node)) report(node, `touches the global ${node.name}`);
      },
    };
    for (const [selector, why] of Object.entries(IMPURE)) {
      visitor[selector] = (node: Deno.lint.Node) => report(node, why);
    }
    return visitor;
  },
};

const kitVocabulary: Deno.lint.Rule = {
  create(context) {
    if (!repositoryPath(context.filename).startsWith("src/kit/")) return {};
    return {
      Program: () => {
        for (const match of context.sourceCode.text.matchAll(/odoo/gi)) {
          const range: Deno.lint.Range = [match.index, match.index + match[0].length];
          context.report({ range, message: "The kit knows Kubernetes and nothing of Odoo" });
        }
      },
    };
  },
};

const noConsole: Deno.lint.Rule = {
  create(context) {
    const file = repositoryPath(context.filename);
    if (!file.startsWith("src/") || file.startsWith("src/cli/")) return {};
    return {
      Identifier: (node) => {
        if (node.name !== "console" || !isReference(node)) return;
        context.report({ node, message: "Only src/cli writes to the console", hint: "Log through kit/log.ts" });
      },
    };
  },
};

const environment: Deno.lint.Rule = {
  create(context) {
    const file = repositoryPath(context.filename);
    if (!file.startsWith("src/")) return {};
    const allowed = ENVIRONMENT_READERS[file];
    const judge = (node: Deno.lint.MemberExpression): void => {
      if (allowed?.test("") === true || allowed?.test(variableRead(node) ?? "") === true) return;
      const message = "The environment is read in src/odoo/shell/config.ts only";
      context.report({ node, message, hint: "Take the value as a parameter" });
    };
    return {
      "MemberExpression[object.name='Deno'][property.name='env']": judge,
      "MemberExpression[object.name='Deno'][property.value='env']": judge,
      "MemberExpression[object.name='process'][property.name='env']": judge,
    };
  },
};

const noCastThroughUnknown: Deno.lint.Rule = {
  create(context) {
    const report = (node: Deno.lint.Node): void =>
      context.report({
        node,
        message: "A cast through unknown switches the compiler off",
        hint: "Parse the value instead",
      });
    return {
      "TSAsExpression > TSAsExpression > TSUnknownKeyword": report,
      "TSAsExpression > TSAsExpression > TSAnyKeyword": report,
    };
  },
};

const noNonNull: Deno.lint.Rule = {
  create: (context) => ({
    TSNonNullExpression: (node) =>
      context.report({
        node,
        message: "A non-null assertion hides the absent case",
        hint: "Check, or throw with a reason",
      }),
  }),
};

const plugin: Deno.lint.Plugin = {
  name: "house",
  rules: {
    "import-direction": importDirection,
    "pure-core": pureCore,
    "kit-vocabulary": kitVocabulary,
    "no-console": noConsole,
    "environment": environment,
    "no-cast-through-unknown": noCastThroughUnknown,
    "no-non-null": noNonNull,
  },
};
export default plugin;

/** What is wrong with this import, or `undefined`. */
function importProblem(file: string, layer: string, specifier: string, asType: boolean): string | undefined {
  const target = resolve(file, specifier);
  if (target === undefined) return packageProblem(file, layer, specifier, asType);
  if (target.startsWith("src/std/")) {
    return file.startsWith("src/std/") ? undefined : `${specifier} is imported by its @std alias only (see deno.json)`;
  }
  if (isUnder(target, layer)) return undefined;
  if (!isUnderAny(target, MAY_IMPORT[layer] ?? [])) return `${layer} may not import ${target}`;
  if (!asType && isUnderAny(target, TYPES_ONLY_FROM)) return `${target} is imported by "import type" only`;
  return undefined;
}

function packageProblem(file: string, layer: string, specifier: string, asType: boolean): string | undefined {
  const matches = (pattern: string): boolean =>
    pattern.endsWith("*")
      ? specifier.startsWith(pattern.slice(0, -1))
      : isUnder(specifier, `${pattern}/`) || specifier === pattern;
  const placesIn = (table: Readonly<Record<string, readonly string[]>>): readonly string[] | undefined =>
    Object.entries(table).find(([pattern]) => matches(pattern))?.[1];
  if (EVERYWHERE.some(matches) || (asType && isUnderAny(file, placesIn(FREE_AS_TYPES) ?? []))) return undefined;
  const places = placesIn(ONLY_IN);
  if (places === undefined) return `${layer} may not import ${specifier}: no layer has this package`;
  return isUnderAny(file, places) ? undefined : `${specifier} is imported in ${places.join(", ")} only`;
}

/** The path in this repository that a specifier leads to; `undefined` for a package. */
function resolve(file: string, specifier: string): string | undefined {
  if (!/^(\.|\/|file:)/.test(specifier)) return undefined;
  return repositoryPath(decodeURIComponent(new URL(specifier, `file://${REPOSITORY}${file}`).pathname));
}

function repositoryPath(path: string): string {
  return path.startsWith(REPOSITORY) ? path.slice(REPOSITORY.length) : path;
}

/** The key of MAY_IMPORT that a file belongs to; `undefined` where everything is allowed. */
function layerOf(file: string): string | undefined {
  if (isUnderAny(file, FREE_LAYERS) || (file.startsWith("examples/") && file.endsWith("_test.ts"))) return undefined;
  const key = Object.keys(MAY_IMPORT).find((prefix) => isUnder(file, prefix));
  // a file of src that the table forgot is a layer without rights, so that nobody adds one in passing
  return key ?? (file.startsWith("src/") ? file : undefined);
}

/** A prefix with a slash at its end is a folder, any other is one file. */
function isUnder(path: string, prefix: string): boolean {
  return prefix.endsWith("/") ? path.startsWith(prefix) : path === prefix;
}

function isUnderAny(path: string, prefixes: readonly string[]): boolean {
  return prefixes.some((prefix) => isUnder(path, prefix));
}

/** Whether the identifier stands for a value in scope, and is not the name of a property, key or member. */
function isReference(node: Deno.lint.Identifier): boolean {
  const parent: Deno.lint.Node = node.parent;
  switch (parent.type) {
    case "MemberExpression":
      return parent.property !== node || parent.computed;
    case "Property":
      return parent.key !== node || parent.computed || parent.shorthand;
    case "PropertyDefinition":
    case "MethodDefinition":
      return parent.key !== node || parent.computed;
    case "TSPropertySignature":
    case "TSMethodSignature":
    case "TSQualifiedName":
      return false;
    default:
      return true;
  }
}

/** The text in `import("…")` as a type; its node differs from what the types of deno say. */
function literalOf(node: Deno.lint.Node): unknown {
  if (node.type === "TSLiteralType") return literalOf(node.literal);
  return node.type === "Literal" ? node.value : undefined;
}

/** `NAME` in `Deno.env.get("NAME")` and `Deno.env.has("NAME")`. */
function variableRead(node: Deno.lint.MemberExpression): string | undefined {
  const method = node.parent;
  if (method.type !== "MemberExpression" || method.object !== node || method.parent.type !== "CallExpression") {
    return undefined;
  }
  const [name] = method.parent.arguments;
  return name?.type === "Literal" && typeof name.value === "string" ? name.value : undefined;
}
