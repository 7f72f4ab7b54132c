// Bundles the extension and its webview into dist/; with --tests, the unit tests into out/.
import { copyFileSync, readdirSync, rmSync } from "node:fs";
import { build, context } from "esbuild";

const flags = new Set(process.argv.slice(2));
const shared = { bundle: true, logLevel: "warning", minify: flags.has("--minify"), legalComments: "none", charset: "utf8" };

const extension = {
  ...shared,
  entryPoints: ["src/extension.ts"],
  outfile: "dist/extension.js",
  platform: "node",
  target: "node20",
  format: "cjs",
  external: ["vscode"],
};

const webview = {
  ...shared,
  entryPoints: ["src/webview/main.ts", "src/webview/style.css"],
  outdir: "dist/webview",
  platform: "browser",
  target: "es2022",
  format: "iife",
};

const tests = {
  ...shared,
  entryPoints: readdirSync("test").filter((name) => name.endsWith(".test.ts")).map((name) => `test/${name}`).concat("src/chat/page.ts"),
  outdir: "out",
  entryNames: "[name]",
  outExtension: { ".js": ".mjs" },
  platform: "node",
  target: "node20",
  format: "esm",
  packages: "external",
  alias: { vscode: "./test/vscode.ts" },
};

if (flags.has("--tests")) {
  rmSync("out", { recursive: true, force: true });
  await build(tests);
} else if (flags.has("--watch")) {
  for (const options of [extension, webview]) await (await context(options)).watch();
} else {
  rmSync("dist", { recursive: true, force: true });
  await Promise.all([build(extension), build(webview)]);
  copyFileSync("../../LICENSE", "LICENSE");
}
