// Hand over a job by hand: the commands' own examples to begin with.
import { ApiError, call } from "./api.js";
import { h } from "./dom.js";

export async function submit({ main, signal, tell }) {
  const { items } = await call("/v1/services", { signal });
  const commands = items.flatMap((service) => service.commands);
  const examples = commands.flatMap((command) => command.examples.map((body) => ({ command, body })));
  const label = ({ command, body }) => `${command.route}: ${JSON.stringify(body).slice(0, 70)}`;
  const fill = () => (text.value = JSON.stringify(examples[choice.value].body, null, 2));
  const choice = h("select", { id: "example", onchange: () => fill() }, examples.map((example, at) => h("option", { value: String(at) }, label(example))));
  const text = h("textarea", { id: "body", spellcheck: "false" });
  const said = h("p", { class: "bad", role: "alert" });
  const send = async (event) => {
    event.preventDefault();
    said.textContent = "";
    hand.disabled = true; // or two clicks are two jobs
    try {
      const body = JSON.parse(text.value);
      const headers = { "Idempotency-Key": unique() };
      const job = await call(examples[choice.value].command.route, { method: "POST", body, headers, signal });
      location.hash = `#/jobs/${encodeURIComponent(job.id)}`;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof SyntaxError) said.textContent = `This is no JSON: ${error.message}`;
      else if (error instanceof ApiError && error.problem.errors) said.textContent = error.problem.errors.map((one) => `${one.pointer}: ${one.message}`).join("\n");
      else tell(error);
    } finally {
      hand.disabled = false;
    }
  };
  const hand = h("button", { class: "main", type: "submit" }, "Hand over");
  main.replaceChildren(
    h("h1", {}, "Submit"),
    h(
      "form",
      { onsubmit: send },
      h("p", { class: "row" }, h("label", { for: "example" }, "Command and example"), choice),
      h("p", {}, h("label", { for: "body" }, "Request"), text),
      hand,
      said,
    ),
  );
  fill();
}

// Not crypto.randomUUID, which browsers keep from pages that came by plain HTTP from another host.
const unique = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
