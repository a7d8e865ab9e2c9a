// After `vite build`: puts the files where the Python package ships them from, without what changes from build to
// build, and writes down what they were made from and which inline scripts the page may run.
import { createHash } from "node:crypto";
import { cpSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const BUILT = "dist/client";
const SHIPPED = "../api/web_dist";
const SOURCES = ["package.json", "package-lock.json", "vite.config.ts", "scripts/*", "src/**/*.*"];
const SCRIPT_GZIP_BYTES_MAX = 230_000;

const hash = (data: string | Buffer, encoding: "hex" | "base64") => createHash("sha256").update(data).digest(encoding);

rmSync(SHIPPED, { recursive: true, force: true });
cpSync(BUILT, SHIPPED, { recursive: true });

// The shell names the moment of its making, which nobody reads.
const page = readFileSync(`${SHIPPED}/index.html`, "utf8").replace(/\bu:\d{13}\b/g, "u:0");
writeFileSync(`${SHIPPED}/index.html`, page);
const inline = [...page.matchAll(/<script(?![^>]*\bsrc=)[^>]*>([\s\S]*?)<\/script>/g)];

const sources = globSync(SOURCES)
  .sort()
  .map((path) => [path, hash(readFileSync(path), "hex")] as const);
const assets = globSync("**/*.*", { cwd: SHIPPED })
  .sort()
  .map((path) => [path, readFileSync(`${SHIPPED}/${path}`)] as const);
const scriptGzipBytes = assets
  .filter(([path]) => path.endsWith(".js"))
  .reduce((sum, [, data]) => sum + gzipSync(data, { level: 9 }).length, 0);

const manifest = {
  sources: Object.fromEntries(sources),
  files: Object.fromEntries(assets.map(([path, data]) => [path, hash(data, "hex")])),
  inlineScripts: inline.map(([, script]) => `sha256-${hash(script ?? "", "base64")}`),
  scriptGzipBytes,
};
writeFileSync(`${SHIPPED}/manifest.json`, `${JSON.stringify(manifest, null, 1)}\n`);
console.log(`${assets.length} files, ${(scriptGzipBytes / 1000).toFixed(1)} kB of script after gzip`);
if (scriptGzipBytes > SCRIPT_GZIP_BYTES_MAX) throw new Error(`more than ${SCRIPT_GZIP_BYTES_MAX} bytes of script`);
