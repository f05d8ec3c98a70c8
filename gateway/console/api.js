// Speaks to the API that programs use, with the key that the person brought. The key lives in this tab and ends with it.
const KEY = "counterfoil-key";

export const key = {
  get: () => sessionStorage.getItem(KEY),
  set: (text) => sessionStorage.setItem(KEY, text),
  drop: () => sessionStorage.removeItem(KEY),
};

// An RFC 9457 problem, or the lack of an answer.
export class ApiError extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `the gateway answered ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

async function ask(path, { method = "GET", body, signal, headers = {} } = {}) {
  const sent = { Authorization: `Bearer ${key.get() ?? ""}`, ...headers, ...(body === undefined ? {} : { "Content-Type": "application/json" }) };
  let answer;
  try {
    answer = await fetch(path, { method, signal, headers: sent, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store" });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, { detail: "the gateway does not answer" });
  }
  if (!answer.ok) throw new ApiError(answer.status, await answer.json().catch(() => ({})));
  return answer;
}

// The JSON of an answer; null where it has no body.
export async function call(path, options) {
  const answer = await ask(path, options);
  return answer.status === 204 ? null : answer.json();
}

// A job's events as they happen, from the first one on; goes on after a break where it was, until `over` says that there will be none.
// `tell` hears of a break, and of its end.
// EventSource cannot send a key, so this is its protocol over fetch.
export async function* events(path, signal, over, tell) {
  for (let last = 0, pause = 500; !signal.aborted; ) {
    try {
      const answer = await ask(path, { signal, headers: { Accept: "text/event-stream", "Last-Event-ID": String(last) } });
      pause = 500;
      tell(null);
      for await (const frame of frames(answer.body)) {
        last = frame.id || last;
        yield JSON.parse(frame.data);
      }
      if (await over()) return; // else it broke off, or a redrive has begun since
    } catch (error) {
      if (signal.aborted || (error instanceof ApiError && error.status && error.status < 500)) throw error;
      tell(error);
    }
    await rest(pause, signal);
    pause = Math.min(pause * 2, 8000);
  }
}

async function* frames(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value.replaceAll("\r\n", "\n");
    const whole = text.split("\n\n");
    text = whole.pop();
    for (const block of whole) {
      const lines = block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trimStart()]);
      const data = lines.filter(([name]) => name === "data").map(([, content]) => content).join("\n");
      if (data) yield { id: lines.find(([name]) => name === "id")?.[1], data };
    }
  }
}

// Resolves after so many milliseconds, or when the page is left.
export const rest = (milliseconds, signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
