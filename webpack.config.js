// Builds the site into dist/: the page (www/app), the service worker (www/worker, with the WebAssembly engine) and the
// page library for other apps (www/client, as an ES module).

import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import CopyPlugin from "copy-webpack-plugin";
import webpack from "webpack";
import workbox from "workbox-webpack-plugin";

const here = import.meta.dirname ?? new URL(".", import.meta.url).pathname;
const at = (...parts) => resolve(here, ...parts);
const ENGINE = at("target/wasm-bindgen/flette.js");
/** The engine is larger than Workbox's default limit of 2 MiB. */
const PRECACHE_BYTES_MAX = 16 * 1024 * 1024;

const typescript = {
  test: /\.tsx?$/,
  loader: "ts-loader",
  options: {
    // Types are checked by `tsc`, once, not by every build.
    transpileOnly: true,
    configFile: at("tsconfig.json"),
    compilerOptions: { noEmit: false, allowImportingTsExtensions: false },
  },
};

const shared = (mode) => ({
  mode,
  devtool: mode === "production" ? false : "source-map",
  resolve: { extensions: [".ts", ".tsx", ".js"], alias: { "flette-engine": ENGINE } },
  performance: { hints: false },
  stats: "errors-warnings",
});

/** Writes index.html with the hashed names of the page's script and style. */
class IndexPage {
  apply(compiler) {
    const { Compilation, sources } = webpack;
    compiler.hooks.thisCompilation.tap("IndexPage", (compilation) => {
      // After the names are hashed, before the precache manifest is made.
      const stage = Compilation.PROCESS_ASSETS_STAGE_OPTIMIZE_HASH + 1;
      compilation.hooks.processAssets.tap({ name: "IndexPage", stage }, () => {
        const template = at("www/app/index.html");
        compilation.fileDependencies.add(template);
        const files = compilation.entrypoints.get("app").getFiles();
        const tags = files.map((file) =>
          file.endsWith(".css")
            ? `<link rel="stylesheet" href="/${file}">`
            : `<script defer src="/${file}"></script>`,
        );
        const page = readFileSync(template, "utf8").replace("<!-- assets -->", tags.join("\n    "));
        compilation.emitAsset("index.html", new sources.RawSource(page));
      });
    });
  }
}

/** The worker, with the list of files it precaches. */
function worker() {
  return new workbox.InjectManifest({
    swSrc: at("www/worker/worker.ts"),
    swDest: "worker.js",
    exclude: [/\.map$/, /LICENSE/],
    dontCacheBustURLsMatching: /\.[0-9a-f]{16,}\./,
    maximumFileSizeToCacheInBytes: PRECACHE_BYTES_MAX,
  });
}

/** The site, in `dist/`; with a planted bug it goes elsewhere, so that nobody takes it for the product. */
function page(mode, planted) {
  const withWorker = existsSync(ENGINE);
  if (!withWorker) console.warn("webpack: the engine is not built (target/wasm-bindgen): no worker.js");
  return {
    ...shared(mode),
    name: "page",
    entry: { app: at("www/app/main.tsx") },
    output: {
      path: at(planted ? "target/planted-site" : "dist"),
      publicPath: "/",
      filename: "[name].[contenthash].js",
      cssFilename: "[name].[contenthash].css",
      hashDigestLength: 20,
      clean: { keep: /^client\.js/ },
    },
    experiments: { css: true },
    module: {
      rules: [
        typescript,
        // The engine's file is copied under its own name and given to it by the worker.
        { test: ENGINE, parser: { url: false } },
      ],
    },
    plugins: [
      // A classic worker script has no import.meta; the path of this machine must not stand in it either.
      new webpack.DefinePlugin({ "import.meta.url": "self.location.href" }),
      new webpack.DefinePlugin({ PLANTED_TAKE_OVER: JSON.stringify(planted === "worker-takes-over") }),
      new CopyPlugin({
        patterns: [
          { from: at("www/app/static"), to: "." },
          ...(withWorker ? [{ from: at("target/wasm-bindgen/flette_bg.wasm"), to: "." }] : []),
        ],
      }),
      new IndexPage(),
      ...(withWorker ? [worker()] : []),
    ],
  };
}

function library(mode) {
  return {
    ...shared(mode),
    name: "client",
    entry: at("www/client/index.ts"),
    output: { path: at("dist"), filename: "client.js", library: { type: "module" }, module: true },
    experiments: { outputModule: true },
    module: { rules: [typescript] },
  };
}

/** `webpack --env planted=worker-takes-over` plants a bug (docs/reliability.md). */
export default ({ planted }, { mode = "production" }) =>
  planted ? page(mode, planted) : [page(mode), library(mode)];
