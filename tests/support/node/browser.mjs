// The user's desk: opens argv[2] in a real Chromium and does what LOGIN_STEPS says, a JSON list of
// ["fill", selector, text], ["click", selector], ["check" or "uncheck", selector] or ["wait", selector].
// A step whose page does not come within 15 seconds fails. LOGIN_PICTURE names a PNG of the last page.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const profile = mkdtempSync(join(tmpdir(), "login-"));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM,
  headless: true,
  viewport: { width: 900, height: 620 },
  deviceScaleFactor: 2,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(15000);
  await page.goto(process.argv[2]);
  for (const [action, selector, text] of JSON.parse(process.env.LOGIN_STEPS)) {
    if (action === "fill") await page.fill(selector, text);
    else if (action === "wait") await page.waitForSelector(selector);
    else await page[action](selector);
  }
  await page.waitForSelector("main h1");
  if (process.env.LOGIN_PICTURE) await page.screenshot({ path: process.env.LOGIN_PICTURE });
  if (process.env.LOGIN_TEXT) {
    writeFileSync(process.env.LOGIN_TEXT, await page.innerText("main"));
  }
} finally {
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
}
