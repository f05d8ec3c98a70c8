// One job: its progress as it happens, what it made, what was tried, and what may be done with it.
import { call, events } from "./api.js";
import { bar, clock, facts, h, json, length, show, size, state, table } from "./dom.js";
import { trace } from "./trace.js";

const ACTIONS = [
  ["cancel", "Cancel", (job) => !job.done && job.state !== "canceling"],
  ["pause", "Pause", (job) => !job.done && !job.paused],
  ["resume", "Resume", (job) => job.paused],
  ["retry", "Retry", (job) => job.done && job.state !== "succeeded"],
];
const SHOWN_PICTURES = 12;
const SHOWN_FILES = 300; // a long film's segments are thousands

export async function job({ main, signal, tell, id }) {
  const path = `/v1/jobs/${encodeURIComponent(id)}`;
  const part = (title) => h("section", { "aria-label": title, hidden: true });
  const [head, made, result, fault, happened, traced, request] = ["Job", "Artifacts", "Result", "Error", "Events", "Trace", "Request"].map(part);
  const fill = (section, title, ...children) => ((section.hidden = !children.length), show(section, title ? h("h2", {}, title) : null, children));
  const log = [];
  let now = null;
  main.replaceChildren(h("h1", { class: "id" }, id), head, fault, made, result, happened, traced, request);

  const act = async (name) => {
    try {
      await call(`${path}/${name}`, { method: "POST", signal });
      await look();
      tell(null);
      if (name === "retry") follow().catch((error) => signal.aborted || tell(error));
    } catch (error) {
      if (!signal.aborted) tell(error);
    }
  };
  const remove = async () => {
    if (!confirm("Delete this job, its artifacts and its events?")) return;
    try {
      await call(path, { method: "DELETE", signal });
      location.hash = "#/jobs";
    } catch (error) {
      if (!signal.aborted) tell(error);
    }
  };
  const top = h("div", { class: "row" });
  const [under, told] = [h("div"), h("div")];
  head.append(top, under, told);
  const draw = () => {
    const fitting = ACTIONS.filter(([, , fits]) => fits(now));
    const standing = [now.state, ...fitting.flat()].join();
    if (top.dataset.standing !== standing) {
      // Not at every bit of progress: a button that is replaced while somebody presses it hears nothing of it.
      const buttons = fitting.map(([name, label]) => h("button", { type: "button", onclick: () => act(name) }, label));
      if (now.done) buttons.push(h("button", { type: "button", onclick: remove }, "Delete"));
      top.replaceChildren(state(now.state), h("span", {}, now.kind), ...buttons);
      top.dataset.standing = standing;
    }
    head.hidden = false;
    show(under, bar(now));
    show(told, about(now));
    const held = now.artifacts.map((one) => one.name + one.sha256).join();
    if (made.dataset.held !== held) {
      // Their links are signed anew with each answer: a film that somebody watches is not to begin again because of that.
      fill(made, "Artifacts", ...(now.artifacts.length ? artifacts(now) : []));
      made.dataset.held = held;
    }
    fill(result, "Result", ...(now.result ? [json(now.result)] : []));
    fill(fault, "Error", ...(now.error ? failure(now.error) : []));
    fill(request, "Request", json(now.request));
  };
  const look = async () => {
    now = await call(path, { signal });
    draw();
  };
  const follow = async () => {
    log.length = 0;
    const over = async () => (await look(), now.done);
    for await (const event of events(`${path}/events`, signal, over, tell)) {
      log.push(event);
      fill(happened, "Events", table(["#", "When", "What", "Detail"], log.slice(-200).reverse().map(line), ""));
      if (event.type !== "job.progressed" || event.data.artifact) await look();
      else if (now && !now.done) (now.progress = { eta_seconds: null, ...event.data }), draw();
    }
    traced.hidden = false;
    await trace(traced, path, signal);
  };
  await look();
  await follow();
}

function about(job) {
  const took = job.started_at && job.finished_at ? length((Date.parse(job.finished_at) - Date.parse(job.started_at)) / 1000) : "";
  const { total, succeeded, failed } = job.children;
  const labels = Object.entries(job.labels).map(([name, value]) => `${name}: ${value}`).join(", ");
  return facts([
    ["Accepted", clock(job.created_at)],
    ["Started", clock(job.started_at)],
    ["Done", clock(job.finished_at)],
    ["Took", took],
    ["Not before", clock(job.run_at)],
    ["Attempt", `${job.attempt}${job.epoch > 1 ? `, redriven ${job.epoch - 1}×` : ""}`],
    ["Parts", total ? `${succeeded} of ${total} done${failed ? `, ${failed} failed` : ""}` : ""],
    ["Labels", labels],
  ]);
}

function artifacts(job) {
  const seen = job.artifacts.filter((one) => /^image\/|^video\/(mp4|webm)$|^audio\//.test(one.media_type) && !one.name.includes("/")).slice(0, SHOWN_PICTURES);
  const pictures = seen.map((one) => (one.media_type.startsWith("image/") ? h("img", { src: one.browser_href, alt: one.name, title: one.name, loading: "lazy" }) : h(one.media_type.slice(0, 5), { src: one.browser_href, controls: true, preload: "metadata", title: one.name })));
  const rows = job.artifacts.slice(0, SHOWN_FILES).map((one) => [h("a", { href: one.browser_href, target: "_blank", rel: "noreferrer" }, one.name), one.media_type, size(one.bytes)]);
  const more = job.artifacts.length - rows.length;
  return [pictures.length ? h("div", { class: "pictures" }, pictures) : null, table(["Name", "Type", "#Size"], rows, ""), more > 0 ? h("p", { class: "soft" }, `and ${more} more`) : null].filter(Boolean);
}

function failure(error) {
  const tried = table(["#", "Began", "#Took", "Outcome", "Why", "Worker"], error.attempts.map((one) => [String(one.number), clock(one.started_at), length((Date.parse(one.ended_at) - Date.parse(one.started_at)) / 1000), one.outcome, one.reason, one.worker]), "Nothing was tried.");
  return [h("p", { class: "bad" }, error.detail), facts([["Type", error.type], ["Field", error.pointer], ["Said", error.said && h("pre", {}, error.said.join("\n"))]]), tried];
}

function line(event) {
  const { progress, step, detail, fraction, reason, artifact } = event.data;
  const told = progress ?? { step, detail, fraction };
  const words = [told.fraction === undefined ? "" : `${Math.floor(told.fraction * 100)} %`, told.step, told.detail, reason, event.data.error?.detail, artifact?.name];
  return [String(event.seq), clock(event.time), event.type.replace("job.", ""), words.filter(Boolean).join(" · ")];
}
