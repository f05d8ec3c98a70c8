// Jobs that failed for good: sent again, or let go.
import { call, rest } from "./api.js";
import { ago, h, show, table } from "./dom.js";

export async function letters({ main, signal, tell, query }) {
  const list = h("section", {});
  main.replaceChildren(h("h1", {}, "Dead letters"), list);
  const look = async () => {
    const asked = new URLSearchParams({ limit: "50", ...Object.fromEntries(query) });
    const { items } = await call(`/v1/dead-letters?${asked}`, { signal });
    show(list, table(["Reason", "Job", "What went wrong", "When", ""], items.map(row), "There are none."));
  };
  // Rows are drawn from text, so their buttons are told apart by what they carry.
  list.addEventListener("click", async ({ target }) => {
    const { act, letter } = target.dataset;
    if (!act || (act === "discard" && !confirm("Let this dead letter go? Its job stays failed."))) return;
    target.disabled = true;
    const path = `/v1/dead-letters/${encodeURIComponent(letter)}`;
    try {
      await (act === "redrive" ? call(`${path}/redrive`, { method: "POST", body: {}, signal }) : call(path, { method: "DELETE", signal }));
      await look();
    } catch (error) {
      if (!signal.aborted) tell(error);
    }
  });
  while (!signal.aborted) {
    try {
      await look();
      tell(null);
    } catch (error) {
      if (!signal.aborted) tell(error);
    }
    await rest(3000, signal);
  }
}

function row(letter) {
  const name = letter.job ? h("a", { class: "id", href: `#/jobs/${encodeURIComponent(letter.job)}` }, letter.job) : h("span", { class: "id" }, letter.id);
  const buttons = [["redrive", "Redrive"], ["discard", "Discard"]].map(([act, label]) => h("button", { type: "button", "data-act": act, "data-letter": letter.id }, label));
  return [letter.reason, h("div", {}, name, h("div", { class: "soft" }, letter.kind ?? letter.service)), letter.error?.detail ?? "", ago(letter.at), h("div", { class: "row" }, buttons)];
}
