-- Driven by bench/submit/wrk.py. LOAD_HEADERS: lines "Name: value"; LOAD_BODY: the body; LOAD_UNIQUE: "1" for an Idempotency-Key each.
-- The key's first part is drawn per thread, so that two threads and two runs never make the same one.
local unique = os.getenv("LOAD_UNIQUE") == "1"
local counter, threads = 0, 0

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

function init()
  wrk.method = "POST"
  wrk.body = os.getenv("LOAD_BODY")
  for name, value in string.gmatch(os.getenv("LOAD_HEADERS"), "([^:\n]+): ([^\n]*)") do wrk.headers[name] = value end
  prefix = os.getenv("LOAD_RUN") .. "-" .. number .. "-"
  plain = wrk.format()
end

function request()
  if not unique then return plain end
  counter = counter + 1
  wrk.headers["Idempotency-Key"] = prefix .. counter
  return wrk.format()
end

function done(summary, latency)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format('\nFIGURES {"requests": %d, "seconds": %f, "refused": %d, "p50": %f, "p99": %f}\n',
    summary.requests, summary.duration / 1e6, errors.status + broken, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
