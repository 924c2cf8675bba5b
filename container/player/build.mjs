// Bundles the page into dist/: npm run build
import { cp, mkdir, rm } from "node:fs/promises";
import { build } from "esbuild";

await rm("dist", { recursive: true, force: true });
await mkdir("dist/assets", { recursive: true });
await build({
  entryPoints: ["src/player.ts", "src/player.css"],
  outdir: "dist/assets",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
});
await cp("src/index.html", "dist/index.html");
await cp("src/config.json", "dist/config.json");
