// Looks at every page in every light and width; see `run`.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import puppeteer from "puppeteer-core";

const [site] = process.argv.slice(2);
const pictures = process.env.PICTURES;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const LIGHTS = ["light", "dark"];
const WIDTHS = { wide: 1280, tablet: 800, phone: 360 };
const WHOLE = ["status", "credential", "hostile"];
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
/// What a page has to say, the hostile name as its own text.
const EXPECTED = {
  status: ["What runs out next", "Needs attention", "What will be sent in the next 90 days", "Sources", "carrier-status-export", "<img src=x onerror=alert(1)>"],
  expired: ["Told ccaas", "expired", "1 message delivered", "First seen by this watch"],
  hostile: ["<img src=x onerror=alert(1)>", "<script>alert(2)</script>"],
  nothing: ["Nothing matches."],
  missing: ["Nothing is here"],
  unknown: ["No credential of this id is known"],
};

const problems = [];
let looks = 0;

/// Until the first poll has been made and its mail is out: then everything there is to see is there.
async function settled() {
  for (let tries = 0; tries < 150; tries += 1) {
    const body = await fetch(`${site}/health`).then((answer) => answer.json()).catch(() => undefined);
    if (body?.status === "ok" && body.outbox.pending === 0) return;
    await new Promise((next) => setTimeout(next, 200));
  }
  throw new Error("the demo did not become healthy in 30 s");
}

/// The pages to look at: the list, what filters make of it, and the credentials with the most to say.
async function paths() {
  const report = await fetch(`${site}/api/v1/credentials`).then((answer) => answer.json());
  const link = (one) => `/credential?id=${encodeURIComponent(one.id)}`;
  const find = (test) => report.credentials.filter(test).slice(0, 1).map(link);
  return {
    status: "/",
    team: "/?team=idim",
    nothing: "/?q=nothing-of-this-name",
    rotation: "/?rotation=overlap",
    soon: "/?ends=7d&status=expiring",
    attention: "/?attention=yes",
    missing: "/no-such-page",
    unknown: "/credential?id=%3Cscript%3Ealert(3)%3C/script%3E",
    ...Object.fromEntries(
      [
        ["credential", find((one) => one.status === "expiring")],
        ["superseded", find((one) => one.status === "superseded" && one.days_left >= 0)],
        ["expired", find((one) => one.status === "expired")],
        ["condition", find((one) => one.conditions.length > 0)],
        ["hostile", find((one) => one.holder.includes("<img"))],
        ["endless", find((one) => one.expires_at === null)],
      ].map(([name, [path]]) => [name, path]),
    ),
  };
}

/// The words of our own in a table that stand on more than one line: a column so narrow is read letter by letter.
function tornWords() {
  const torn = new Set();
  for (const own of document.querySelectorAll("th, td .status, td[data-name='Teams']")) {
    // On a telephone the head of a table is there for those who listen.
    if (own.closest("thead")?.getBoundingClientRect().width < 2) continue;
    const texts = document.createTreeWalker(own, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      for (const word of texts.currentNode.data.matchAll(/\w+/g)) {
        const range = document.createRange();
        range.setStart(texts.currentNode, word.index);
        range.setEnd(texts.currentNode, word.index + word[0].length);
        if (new Set([...range.getClientRects()].map((rect) => Math.round(rect.top))).size > 1) torn.add(word[0]);
      }
    }
  }
  return [...torn];
}

/// The words above the time line that run into those beside them.
function crowdedWords() {
  const words = [...document.querySelectorAll(".horizons span")].map((span) => {
    const range = document.createRange();
    range.selectNodeContents(span);
    return { says: span.textContent, box: range.getBoundingClientRect() };
  });
  const meets = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  return words.slice(1).filter((word, at) => meets(words[at].box, word.box)).map((word) => word.says);
}

async function look(browser, name, path, light, [size, width]) {
  const where = `${path} (${light}, ${width} px)`;
  const note = (text) => problems.push(`${where}: ${text}`);
  const expected = name === "missing" || name === "unknown" ? 404 : 200;
  const heard = [];
  const page = await browser.newPage();
  page.on("console", (message) => {
    // The browser tells of every page that is not there; that is what was asked for.
    if (["error", "warn"].includes(message.type()) && !(expected === 404 && message.text().includes("404"))) heard.push(message.text());
  });
  page.on("pageerror", (error) => heard.push(String(error)));
  page.on("dialog", async (dialog) => {
    heard.push(`a dialog: ${dialog.message()}`);
    await dialog.dismiss();
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(`${site}/`)) heard.push(`asks for ${request.url()}`);
  });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: light }]);
  await page.setViewport({ width, height: width > 600 ? 960 : 780, deviceScaleFactor: 1 });
  const answer = await page.goto(site + path, { waitUntil: "load" });
  if (answer.status() !== expected) note(`answered ${answer.status()}`);
  const overflow = await page.evaluate(() => {
    const room = document.documentElement.clientWidth;
    const wide = [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > room + 1 && !one.closest("svg, .unseen, .skip, thead"));
    return { width: document.documentElement.scrollWidth, room, who: wide.slice(0, 3).map((one) => one.outerHTML.slice(0, 90)) };
  });
  if (overflow.width > overflow.room) note(`is ${overflow.width} px wide: ${overflow.who.join(" | ")}`);
  for (const medium of ["screen", "print"]) {
    await page.emulateMediaType(medium);
    const torn = await page.evaluate(tornWords);
    if (torn.length > 0) note(`tears words apart (${medium}): ${torn.join(", ")}`);
  }
  await page.emulateMediaType("screen");
  const crowded = await page.evaluate(crowdedWords);
  if (crowded.length > 0) note(`words over each other: ${crowded.join(", ")}`);
  const planted = await page.evaluate(() => document.querySelectorAll("main img, main script, main style, main iframe, main [onerror]").length);
  if (planted > 0) note(`${planted} elements that nobody wrote`);
  await page.evaluate(axe);
  const found = await page.evaluate((values) => globalThis.axe.run(document, { runOnly: { type: "tag", values } }), RULES);
  for (const { id, help, nodes } of found.violations) note(`${id}: ${help}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 140)).join(" | ")}`);
  heard.forEach((text) => note(text));
  const text = await page.evaluate(() => document.querySelector("main").innerText);
  for (const words of EXPECTED[name] ?? []) if (!text.includes(words)) note(`does not say: ${words}`);
  if (pictures && ["status", "credential", "superseded"].includes(name)) {
    await page.screenshot({ path: join(pictures, `${name}-${light}-${size}.png`) });
    // A page on a telephone is long; its beginning says enough.
    const part = size === "phone" ? { clip: { x: 0, y: 0, width, height: 1400 }, captureBeyondViewport: true } : { fullPage: true };
    await page.screenshot({ path: join(pictures, `${name}-${light}-${size}-whole.png`), ...part });
  }
  const stretched = await page.evaluate(() => {
    for (const name of document.querySelectorAll(".holder, h1 bdi, .who bdi, td small, dd bdi")) name.textContent = "W".repeat(256);
    return document.documentElement.scrollWidth - document.documentElement.clientWidth;
  });
  if (stretched > 0) note(`is ${stretched} px too wide with names of 256 letters`);
  await page.close();
  looks += 1;
}

/// What the script adds: the page renews itself, what is open stays open, what has not changed is not touched, and the place is kept.
async function renewal(browser) {
  const page = await browser.newPage();
  await page.setViewport({ width: 1280, height: 800 });
  await page.goto(site, { waitUntil: "load" });
  const stand = () =>
    page.evaluate(() => ({
      y: scrollY,
      open: document.querySelectorAll("details[open]").length,
      focus: document.activeElement.href,
      kept: document.querySelector("#attention h2").dataset.kept,
      sources: document.querySelector("#sources h2").textContent,
    }));
  await page.evaluate(() => {
    for (const box of document.querySelectorAll("details")) box.open = true;
    document.querySelector("#sources").scrollIntoView();
    document.querySelector("#sources a").focus({ preventScroll: true });
    // Only a replaced section would lose this.
    document.querySelector("#attention h2").dataset.kept = "yes";
  });
  const before = await stand();
  // The next answer is another one, in one section: as if a source had been read.
  await page.setRequestInterception(true);
  let reachable = true;
  page.on("request", async (request) => {
    if (!reachable) return request.abort();
    const html = await fetch(request.url()).then((answer) => answer.text());
    const body = html.replace(/(<h2 id="sources-title">)Sources/, "$1Sources, renewed");
    return request.respond({ status: 200, contentType: "text/html; charset=utf-8", body });
  });
  const renew = () => page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await renew();
  await page
    .waitForFunction(() => document.querySelector("#sources h2").textContent.includes("renewed"), { timeout: 20000 })
    .catch(() => problems.push("renewal: what had changed was not replaced"));
  const after = await stand();
  for (const what of ["open", "focus", "kept"]) {
    if (before[what] !== after[what]) problems.push(`renewal: ${what} was ${before[what]}, then ${after[what]}`);
  }
  if (Math.abs(before.y - after.y) > 2) problems.push(`renewal: scrolled from ${before.y} to ${after.y}`);
  reachable = false;
  await renew();
  await page
    .waitForFunction(() => document.getElementById("behind").textContent.includes("could not be brought up to date"), { timeout: 20000 })
    .catch(() => problems.push("renewal: it does not say that it is behind"));
  await page.close();
}

await settled();
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM,
  defaultViewport: null,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  for (const [name, path] of Object.entries(await paths())) {
    if (!path) {
      problems.push(`the demo has nothing to show for: ${name}`);
      continue;
    }
    for (const light of LIGHTS) {
      for (const width of Object.entries(WIDTHS)) {
        // The pages that matter most in every combination; the others once in each light and once in each width.
        if (WHOLE.includes(name) || (light === "dark") === (width[0] === "phone")) await look(browser, name, path, light, width);
      }
    }
  }
  await renewal(browser);
} finally {
  await browser.close();
}
for (const problem of problems) console.log(`FAILED ${problem}`);
console.log(`${looks} looks, ${problems.length} problems`);
process.exit(problems.length > 0 ? 1 : 0);
