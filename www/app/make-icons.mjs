// Renders the PNG icons from icon.svg with an installed Chromium: `CHROME=/path node www/app/make-icons.mjs`.
// The results are committed; run it again after a change of the drawing.

import { readFileSync, writeFileSync } from "node:fs";
import puppeteer from "puppeteer-core";

const folder = new URL("./static/icons/", import.meta.url);
const svg = readFileSync(new URL("icon.svg", folder), "utf8");
// A maskable icon fills its square, with the drawing inside the inner 80 %.
const maskable = svg
  .replace('rx="112"', "")
  .replace('<g fill="none"', '<g transform="translate(256 256) scale(.78) translate(-256 -256)" fill="none"');

const browser = await puppeteer.launch({
  executablePath: process.env.CHROME ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
try {
  const page = await browser.newPage();
  for (const [name, drawing, size] of [
    ["icon-192", svg, 192],
    ["icon-512", svg, 512],
    ["maskable-512", maskable, 512],
  ]) {
    await page.setViewport({ width: size, height: size });
    const sized = drawing.replace("<svg ", `<svg width="${size}" height="${size}" style="display:block" `);
    await page.setContent(`<body style="margin:0">${sized}`);
    writeFileSync(new URL(`${name}.png`, folder), await page.screenshot({ omitBackground: true }));
  }
} finally {
  await browser.close();
}
