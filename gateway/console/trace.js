// A job's spans as bars over its time, children below their parents.
import { call, rest } from "./api.js";
import { h, length, show } from "./dom.js";

const MOST = 200;
const LOOKS = 8; // workers write their spans twice a second: a trace is whole once it did not grow between two looks

export async function trace(section, path, signal) {
  for (let look = 0, before = -1; look < LOOKS && !signal.aborted; look++) {
    const found = await call(`${path}/trace`, { signal });
    if (found.spans.length === before) return;
    before = found.spans.length;
    draw(section, found);
    await rest(800, signal);
  }
}

function draw(section, found) {
  const link = found.url ? h("a", { href: found.url, target: "_blank", rel: "noreferrer" }, "Look at it in your tracing tool") : null;
  if (!found.spans.length) return void show(section, h("h2", {}, "Trace"), h("p", { class: "soft" }, found.trace_id ?? "none"), link);
  const begin = Math.min(...found.spans.map((span) => span.start));
  const whole = Math.max(...found.spans.map((span) => span.start + span.ns)) - begin || 1;
  const rows = tree(found.spans).slice(0, MOST).flatMap(([span, depth]) => [
    h("span", { title: span.service }, `${"\u2007".repeat(2 * depth)}${span.name}`),
    track(span, (span.start - begin) / whole, span.ns / whole),
    h("span", { class: "soft" }, length(span.ns / 1e9)),
  ]);
  const more = found.spans.length > MOST ? h("p", { class: "soft" }, `and ${found.spans.length - MOST} more`) : null;
  show(section, h("h2", {}, "Trace"), h("p", { class: "row" }, h("span", { class: "id" }, found.trace_id), link), h("div", { class: "bars" }, rows), more);
  for (const bar of section.querySelectorAll(".span")) {
    bar.style.left = bar.dataset.left; // by script: the page's policy forbids style attributes
    bar.style.width = bar.dataset.width;
  }
}

function track(span, from, share) {
  const bar = h("div", { class: span.error ? "span bad" : "span", title: span.error ?? span.name, "data-left": `${100 * from}%`, "data-width": `${100 * share}%` });
  return h("div", { class: "track" }, bar);
}

function tree(spans) {
  const known = new Set(spans.map((span) => span.span));
  const below = Map.groupBy([...spans].sort((a, b) => a.start - b.start), (span) => (known.has(span.parent) ? span.parent : null));
  const walk = (parent, depth) => (below.get(parent) ?? []).flatMap((span) => [[span, depth], ...walk(span.span, depth + 1)]);
  return walk(null, 0);
}
