// Elements and words. Whatever comes from the API becomes text, never markup.
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// Puts children in place of those that are there, unless nothing changed: a page that is looked at every second must not flicker, lose
// a selection or the focus.
export function show(parent, ...children) {
  const made = h(parent.tagName, {}, ...children);
  if (made.innerHTML !== parent.innerHTML) parent.replaceChildren(...made.childNodes);
}

export const state = (name) => h("span", { class: `state ${name}` }, name);

export function table(titles, rows, none) {
  if (!rows.length) return h("p", { class: "soft" }, none);
  const numbers = titles.map((title) => title.startsWith("#"));
  const head = titles.map((title, at) => h("th", { class: numbers[at] ? "number" : null, scope: "col" }, title.replace(/^#/, "")));
  const body = rows.map((cells) => h("tr", {}, cells.map((cell, at) => h("td", { class: numbers[at] ? "number" : null }, cell ?? ""))));
  return h("div", { class: "wide" }, h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body)));
}

export function facts(pairs) {
  return h("dl", {}, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "").flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

export const json = (value) => h("pre", { tabindex: "0" }, JSON.stringify(value, null, 2));

export function length(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 0.0995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

export const ago = (time) => (time ? `${length(Math.max(0, (Date.now() - Date.parse(time)) / 1000))} ago` : "");

export const clock = (time) => (time ? h("time", { datetime: time, title: time }, new Date(time).toLocaleString()) : null);

export function size(bytes) {
  const at = bytes < 1000 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), 4);
  return `${at ? (bytes / 1000 ** at).toPrecision(3) : bytes} ${["B", "kB", "MB", "GB", "TB"][at]}`;
}

// A bar, what is being done, and the time to go.
export function bar({ state: name, progress, paused }) {
  const left = progress.eta_seconds === null || progress.eta_seconds === undefined ? "" : `${length(progress.eta_seconds)} to go`;
  const words = [paused ? "paused" : progress.step, progress.detail, left].filter(Boolean).join(" · ");
  const share = name === "succeeded" ? 1 : progress.fraction;
  return h("div", {}, h("progress", { max: "1", value: String(share), "aria-label": "Progress" }), h("div", { class: "soft" }, `${Math.floor(share * 100)} % · ${words}`));
}
