// `node drive.mjs CHROMIUM PAGE AT_ONCE < jobs.json`: plays each job in a window of its own, a few at once, and writes the reports as JSON.
import { text } from "node:stream/consumers";
import puppeteer from "puppeteer-core";

const [chromium, page, atOnce] = process.argv.slice(2);
const waiting = Object.entries(JSON.parse(await text(process.stdin)));
const reports = {};
const browser = await puppeteer.launch({
  executablePath: chromium,
  args: [
    "--no-sandbox", // the films are our own, and a container's root has no sandbox
    "--disable-dev-shm-usage", // 64 MB in many containers
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
    "--disable-gpu",
    "--disable-background-timer-throttling", // a window behind another one plays like the one in front
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
  ],
});

async function show(name, job) {
  const window = await browser.createBrowserContext(); // a window of its own: behind another tab Chromium does not even load a film
  const tab = await window.newPage();
  const said = [];
  tab.on("pageerror", (error) => said.push(`page: ${error.message}`));
  tab.on("response", (response) => response.status() >= 400 && said.push(`${response.status()} ${response.url()}`));
  await tab.goto(page);
  const report = await tab.evaluate((given) => window.film(given), job);
  reports[name] = { ...report, errors: [...report.errors, ...said] };
  await window.close();
}

async function stage() {
  for (let next = waiting.shift(); next; next = waiting.shift()) await show(...next);
}

try {
  await Promise.all(Array.from({ length: Number(atOnce) }, stage));
} finally {
  await browser.close();
}
console.log(JSON.stringify(reports));
