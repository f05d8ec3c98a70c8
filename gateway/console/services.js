// What there is, and how it fares: looked at again every two seconds.
import { call, rest } from "./api.js";
import { ago, h, length, show, table } from "./dom.js";

export async function services({ main, signal, tell }) {
  const cards = h("div", { class: "cards" });
  const workers = h("section", {});
  main.replaceChildren(h("h1", {}, "Services"), cards, h("br"), workers);
  while (!signal.aborted) {
    try {
      const { items } = await call("/v1/services?details=false", { signal });
      show(cards, items.map(card));
      show(workers, h("h2", {}, "Workers"), table(["Service", "Name", "Host", "Process", "#Slots", "#Busy", "Queues", "Heard of"], items.flatMap(rows), "No worker runs. Jobs are kept until one does."));
      tell(null);
    } catch (error) {
      if (!signal.aborted) tell(error);
    }
    await rest(2000, signal);
  }
}

function card(service) {
  const name = h("div", { class: "row" }, h("h2", {}, service.name), h("span", { class: "soft" }, service.title));
  if (!service.available) return h("div", { class: "card" }, name, h("p", { class: "bad" }, service.detail));
  const link = (state, words) => h("a", { href: `#/jobs?service=${service.name}&state=${state}` }, words);
  const queues = service.queues.filter((queue) => queue.depth || !queue.name.includes("."));
  const faults = service.checks.filter((check) => !check.ok).map((check) => h("p", { class: "bad" }, `${check.name}: ${check.detail}`));
  return h(
    "div",
    { class: "card" },
    name,
    h("p", { class: "row" }, link("running", `${service.running} running`), link("retrying", `${service.retrying} retrying`), h("a", { href: `#/dead-letters?service=${service.name}`, class: service.dead_letters ? "bad" : null }, `${service.dead_letters} dead letters`)),
    table(["Queue", "#Waiting", "#Oldest"], queues.map((queue) => [queue.name, String(queue.depth), queue.depth ? length(queue.oldest_age) : "–"]), ""),
    faults,
  );
}

const rows = (service) =>
  (service.workers ?? []).map((worker) => [service.name, worker.name, worker.host, String(worker.pid), String(worker.slots), String(worker.busy), worker.queues.join(", "), ago(worker.heartbeat_at)]);
