-- What every script stands on. Put in front of each; one script is one atomic step on one service's ledger.
-- KEYS[1] is the prefix, "cf:{avatar}:": its hash tag keeps all keys of a service in one slot, so that this works on Redis Cluster.
-- ARGV[1] is the time in Unix ms, or '' for the server's own clock (the only clock that leases are measured by);
-- ARGV[2] is '1' where the broker is this very Redis, so that record and message are written together. The rest is the script's.
local P = KEYS[1]
local NOW = ARGV[1]
if NOW == '' then
  local t = redis.call('TIME')
  NOW = string.format('%d', t[1] * 1000 + math.floor(t[2] / 1000))
end
NOW = tonumber(NOW)
local RINGS_HERE = ARGV[2] == '1'
local TERMINAL = {succeeded = true, failed = true, canceled = true, expired = true}
local FIELDS = {'state', 'epoch', 'attempt', 'errors', 'crashes', 'token', 'tenant', 'queue', 'run_at', 'expires', 'max', 'parent', 'index',
  'weight', 'frac', 'wait', 'sealed', 'total', 'ok', 'bad', 'onfail', 'worker', 'pid', 'lease', 'started', 'nonce', 'last', 'unique',
  'attempt_started', 'pinged', 'shown', 'wsum', 'told', 'created', 'fanned', 'base', 'cap', 'settle', 'tells'}
local NUMBERS = {epoch = true, attempt = true, errors = true, crashes = true, token = true, run_at = true, expires = true, weight = true,
  frac = true, total = true, ok = true, bad = true, lease = true, started = true, attempt_started = true, pinged = true, shown = true, wsum = true, told = true, created = true,
  fanned = true, base = true, cap = true}

local function int(n) return string.format('%d', n) end
local function job_key(id) return P .. 'job:' .. id end

-- The fields that decisions are made of; numbers are numbers, absent ones 0 or ''. nil: no such job.
local function load(id)
  local values = redis.call('HMGET', job_key(id), unpack(FIELDS))
  if not values[1] then return nil end
  local r = {id = id}
  for i, name in ipairs(FIELDS) do
    local v = values[i] or ''
    if NUMBERS[name] then v = tonumber(v) or 0 end
    r[name] = v
  end
  return r
end

-- An empty field is an absent one: 60 bytes a field count, with a million finished jobs.
local function set(r, ...)
  local given, full, empty = {...}, {}, {}
  for i = 1, #given, 2 do
    local name, v = given[i], given[i + 1]
    if v == '' then
      empty[#empty + 1] = name
    else
      full[#full + 1] = name
      full[#full + 1] = type(v) == 'number' and v == math.floor(v) and int(v) or v
    end
    if NUMBERS[name] then v = tonumber(v) or 0 end
    r[name] = v
  end
  if #full > 0 then redis.call('HSET', job_key(r.id), unpack(full)) end
  if #empty > 0 then redis.call('HDEL', job_key(r.id), unpack(empty)) end
end

local function count(name, by) redis.call('HINCRBY', P .. 'counters', name, by or 1) end

-- A webhook's delivery is owed from the very step that writes its event: no event without it, none twice. `deliveries:<job>` has each by
-- its event's number; it waits in the line of its receiver (the tenant's host), and receivers take turns (deliveries.lua).
local function owe(r, seq, type_)
  local id, receiver = r.id .. ':' .. seq, r.tenant .. ' ' .. redis.call('HGET', job_key(r.id), 'receiver')
  redis.call('HSET', P .. 'deliveries:' .. r.id, seq,
    cjson.encode({type = 'job.' .. type_, state = 'pending', made = NOW, since = NOW, next = NOW, number = 0, tries = 0}))
  redis.call('ZADD', P .. 'owed', int(NOW), id)
  redis.call('ZADD', P .. 'owed:of:' .. r.tenant .. ':pending', int(NOW), id)
  redis.call('ZADD', P .. 'owed:line:' .. receiver, int(NOW), id)
  redis.call('ZADD', P .. 'owed:turn', 'LT', int(NOW), receiver)
end

-- L7: numbered without a gap, because number and append are in one script. The place in the list is the number, so it is not kept twice.
local function emit(r, type_, data)
  local seq = redis.call('HINCRBY', job_key(r.id), 'seq', 1)
  local body = data or '{}'
  redis.call('RPUSH', P .. 'events:' .. r.id, '{"type":"job.' .. type_ .. '","time":' .. int(NOW) .. ',"data":' .. body .. '}')
  redis.call('PUBLISH', P .. 'feed', r.id .. ' ' .. seq)
  count(type_)
  if r.tells ~= '' and string.find(r.tells, ' ' .. type_ .. ' ', 1, true) then owe(r, seq, type_) end
end

-- Jobs of a tenant that are not done; children are their parent's business.
local function alive(r, by)
  if r.parent == '' then redis.call('HINCRBY', P .. 'alive', r.tenant, by) end
end

local function tally(state, by)
  redis.call('HINCRBY', P .. 'states', state, by)
end

-- Children are their parent's business: only top-level jobs are listed.
local function list(r, state, add)
  if r.parent ~= '' then return end
  redis.call(add and 'ZADD' or 'ZREM', P .. 'jobs:' .. r.tenant .. ':' .. state, unpack(add and {0, r.id} or {r.id}))
end

local function move(r, state)
  if r.state ~= state then
    tally(r.state, -1); tally(state, 1)
    list(r, r.state, false); list(r, state, true)
  end
  set(r, 'state', state)
end
