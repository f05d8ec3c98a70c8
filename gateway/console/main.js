// Which page is shown, and what happens when something goes wrong.
import { ApiError, call, key } from "./api.js";
import { h } from "./dom.js";
import { letters } from "./letters.js";
import { job } from "./job.js";
import { jobs } from "./jobs.js";
import { services } from "./services.js";
import { submit } from "./submit.js";

const main = document.getElementById("main");
const trouble = document.getElementById("trouble");
const leave = document.getElementById("leave");
let page = new AbortController();

const PAGES = [
  [/^#\/jobs\/([^/?]+)$/, job],
  [/^#\/jobs$/, jobs],
  [/^#\/submit$/, submit],
  [/^#\/dead-letters$/, letters],
  [/^#?\/?$/, services],
];

// Pages tell what goes wrong and what is well again through this; a key that is refused ends the visit.
function tell(error) {
  if (error instanceof ApiError && error.status === 401) return signIn("This key is not known, or was revoked.");
  trouble.textContent = error ? error.message : "";
  trouble.hidden = !error;
}

async function open() {
  page.abort();
  page = new AbortController();
  const { signal } = page;
  const [path, query] = location.hash.split("?");
  tell(null);
  leave.hidden = !key.get();
  for (const link of document.querySelectorAll("nav a")) {
    const here = link.hash === "#/" ? path.replace(/^#?\/?$/, "") === "" : path.startsWith(link.hash);
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!key.get()) return signIn("");
  const found = PAGES.map(([pattern, view]) => [path.match(pattern), view]).find(([match]) => match);
  main.replaceChildren();
  if (!found) return main.replaceChildren(h("h1", {}, "There is no such page"));
  const [match, view] = found;
  try {
    await view({ main, signal, tell, query: new URLSearchParams(query), id: match[1] && decodeURIComponent(match[1]) });
  } catch (error) {
    if (!signal.aborted) tell(error);
  }
}

function signIn(why) {
  page.abort();
  key.drop();
  leave.hidden = true;
  trouble.hidden = true;
  const field = h("input", { type: "password", id: "key", name: "key", autocomplete: "current-password", required: true, size: "52" });
  const said = h("p", { class: "bad", role: "alert" }, why);
  const enter = async (event) => {
    event.preventDefault();
    key.set(field.value.trim());
    try {
      await call("/v1/services?details=false");
      open();
    } catch (error) {
      key.drop();
      said.textContent = error.status === 401 ? "This key is not known, or was revoked." : error.message;
    }
  };
  main.replaceChildren(
    h(
      "section",
      {},
      h("h1", {}, "Sign in"),
      h("p", {}, "With an API key. ", h("span", { class: "soft" }, "The first start wrote one to the file api-key in the data folder (.counterfoil); the command counterfoil keys makes more.")),
      h("form", { class: "row", onsubmit: enter }, h("label", { for: "key" }, "Key"), field, h("button", { class: "main", type: "submit" }, "Sign in")),
      said,
    ),
  );
  field.focus();
}

leave.addEventListener("click", () => signIn(""));
addEventListener("hashchange", open);
open();
