// `node visit.mjs CHROMIUM < steps.json`: a person's visit to a page, step by step; writes what was read and what went wrong as JSON.
import { text } from "node:stream/consumers";
import puppeteer from "puppeteer-core";

const steps = JSON.parse(await text(process.stdin));
const report = { read: {}, errors: [] };
const browser = await puppeteer.launch({ executablePath: process.argv[2], args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--mute-audio"] });
const page = await browser.newPage();
await page.setViewport({ width: 1200, height: 900 });
page.setDefaultTimeout(30_000);
page.on("pageerror", (error) => report.errors.push(`page: ${error.message}`));
page.on("dialog", (dialog) => dialog.accept());
page.on("response", (answer) => answer.status() >= 400 && report.errors.push(`${answer.status()} ${new URL(answer.url()).pathname}`));
// What the page's policy forbids is told to the console, and so is a script's own complaint.
page.on("console", (said) => said.type() === "error" && !said.text().startsWith("Failed to load resource") && report.errors.push(`console: ${said.text()}`));

const says = (words) => page.waitForFunction((wanted) => document.body.innerText.includes(wanted), {}, words);
const DOES = {
  go: (url) => page.goto(url),
  type: ([selector, words]) => page.type(selector, words),
  fill: ([selector, words]) => page.$eval(selector, (field, value) => (field.value = value), words),
  press: async (label) => {
    const found = await page.waitForSelector(`::-p-xpath(//button[normalize-space()=${JSON.stringify(label)}] | //a[normalize-space()=${JSON.stringify(label)}])`);
    await found.click();
  },
  see: says,
  wait: (expression) => page.waitForFunction(expression),
  read: async ([name, expression]) => (report.read[name] = await page.evaluate(expression)),
  shot: (path) => page.screenshot({ path, fullPage: true }),
};

try {
  for (const [verb, what] of steps) {
    try {
      await DOES[verb](what);
    } catch (problem) {
      report.errors.push(`${verb} ${JSON.stringify(what)}: ${problem.message}; the page says: ${(await page.evaluate(() => document.body.innerText)).slice(0, 2000)}`);
      break;
    }
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify(report));
