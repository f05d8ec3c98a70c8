// The newest jobs, looked at again every second and a half; older ones a page at a time.
import { call, rest } from "./api.js";
import { ago, bar, clock, h, show, state, table } from "./dom.js";

const STATES = ["queued", "running", "retrying", "canceling", "succeeded", "failed", "canceled", "expired"];

export async function jobs({ main, signal, tell, query }) {
  const names = (await call("/v1/services?details=false", { signal })).items.map((service) => service.name);
  const cursors = [""]; // of the pages behind this one, and of this one
  const list = h("section", {});
  const change = () => {
    const asked = new URLSearchParams([["service", service.value], ["state", wanted.value]].filter(([, value]) => value));
    location.hash = `#/jobs${asked.size ? `?${asked}` : ""}`;
  };
  const choice = (label, values, now) => h("select", { "aria-label": label, onchange: change }, h("option", { value: "" }, label), values.map((value) => h("option", { value, selected: value === now }, value)));
  const service = choice("every service", names, query.get("service"));
  const wanted = choice("every state", STATES, query.get("state"));
  let following = null;
  let wake = () => {};
  const newer = h("button", { type: "button", onclick: () => (cursors.pop(), wake()) }, "Newer");
  const older = h("button", { type: "button", onclick: () => (cursors.push(following), wake()) }, "Older");
  main.replaceChildren(h("h1", {}, "Jobs"), h("p", { class: "row" }, service, wanted), list, h("p", { class: "row" }, newer, older));
  while (!signal.aborted) {
    const asked = new URLSearchParams({ limit: "25", ...Object.fromEntries(query), ...(cursors.at(-1) ? { cursor: cursors.at(-1) } : {}) });
    try {
      const found = await call(`/v1/jobs?${asked}`, { signal });
      following = found.next_cursor;
      newer.disabled = cursors.length < 2;
      older.disabled = !following;
      show(list, table(["State", "Job", "Progress", "#Attempt", "Accepted"], found.items.map(row), "There are no such jobs."));
      tell(null);
    } catch (error) {
      if (!signal.aborted) tell(error);
    }
    await Promise.race([rest(1500, signal), new Promise((resolve) => (wake = resolve))]);
  }
}

function row(job) {
  const words = job.error ? h("span", { class: "bad" }, job.error.detail) : bar(job);
  const parts = job.children.total ? h("div", { class: "soft" }, `${job.children.succeeded} of ${job.children.total} parts done`) : null;
  const name = h("div", {}, h("a", { class: "id", href: `#/jobs/${encodeURIComponent(job.id)}` }, job.id), h("div", { class: "soft" }, job.kind));
  return [state(job.state), name, h("div", {}, words, parts), String(job.attempt), h("div", {}, ago(job.created_at), h("div", { class: "soft" }, clock(job.created_at)))];
}
