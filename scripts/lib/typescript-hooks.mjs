// Lets `node --import` this file run TypeScript: types are stripped file by file, and an import without an extension
// or with `.js` finds its `.ts`. For unit tests only; webpack builds what is shipped.

import { existsSync, readFileSync } from "node:fs";
import { register } from "node:module";
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";

// The hooks run in a thread of their own, which loads this file again.
if (isMainThread) register(import.meta.url);

export async function resolve(specifier, context, next) {
  if (specifier.startsWith(".") && context.parentURL?.startsWith("file:")) {
    const base = new URL(specifier, context.parentURL);
    for (const path of [`${base.href}.ts`, base.href.replace(/\.js$/, ".ts"), `${base.href}/index.ts`]) {
      if (path.endsWith(".ts") && existsSync(fileURLToPath(path))) return next(path, context);
    }
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (!url.startsWith("file:") || !url.endsWith(".ts")) return next(url, context);
  const { default: ts } = await import("typescript");
  const { outputText } = ts.transpileModule(readFileSync(fileURLToPath(url), "utf8"), {
    fileName: fileURLToPath(url),
    compilerOptions: {
      target: "ES2022",
      module: "ESNext",
      inlineSourceMap: true,
      verbatimModuleSyntax: true,
    },
  });
  return { format: "module", source: outputText, shortCircuit: true };
}
