-- Included by the scripts about webhooks' deliveries (base.lua's `owe` makes them). A delivery is JSON: type, state (pending, delivered,
-- failed), made, since (the first attempt of its present round), next, number (of its last attempt: the fencing token), tries (that counted, in this
-- round), taken, lost, ended, reason, done, log. Pending, it is either in its receiver's line, by when it is due, or out: with a
-- deliverer, under a lease. A receiver is in `owed:turn`, by when to look at it, unless it has nothing in line or as many out as it may.
local KEPT_ATTEMPTS = 30

local function line_of_receiver(who) return P .. 'owed:line:' .. who end
local function out_to(who) return P .. 'owed:out:' .. who end
local function out_for(tenant) return P .. 'owed:for:' .. tenant end

-- The delivery, and whose it is; nil where there is none.
local function recall(id)
  local job, seq = string.match(id, '^(.+):(%d+)$')
  local text = job and redis.call('HGET', P .. 'deliveries:' .. job, seq)
  if not text then return nil end
  local known = redis.call('HMGET', job_key(job), 'tenant', 'receiver', 'webhook')
  if not known[1] then return nil end
  return cjson.decode(text), {id = id, job = job, seq = seq, tenant = known[1], who = known[1] .. ' ' .. known[2], url = known[3]}
end

local function keep(d, about) redis.call('HSET', P .. 'deliveries:' .. about.job, about.seq, cjson.encode(d)) end

local function note_try(d, try)
  d.log = d.log or {}
  d.log[#d.log + 1] = try
  if #d.log > KEPT_ATTEMPTS then table.remove(d.log, 1) end
end

local function line_up(d, about, at)
  d.next = at
  redis.call('ZADD', line_of_receiver(about.who), int(at), about.id)
  redis.call('ZADD', P .. 'owed:turn', 'LT', int(at), about.who)
end

-- It is with nobody any more; its receiver may have a place again.
local function land(about)
  redis.call('ZREM', P .. 'owed:out', about.id)
  redis.call('ZREM', out_to(about.who), about.id)
  redis.call('ZREM', out_for(about.tenant), about.id)
  local first = redis.call('ZRANGE', line_of_receiver(about.who), 0, 0, 'WITHSCORES')
  if first[2] then
    redis.call('ZADD', P .. 'owed:turn', 'LT', int(math.max(NOW, tonumber(first[2]))), about.who)
  elseif redis.call('EXISTS', out_to(about.who)) == 0 then
    redis.call('ZREM', P .. 'owed:turn', about.who)
    redis.call('HDEL', P .. 'owed:hold', about.who)
    redis.call('HDEL', P .. 'owed:failing', about.who)
  end
end

local function become(d, about, state)
  redis.call('ZREM', P .. 'owed:of:' .. about.tenant .. ':' .. d.state, about.id)
  redis.call('ZADD', P .. 'owed:of:' .. about.tenant .. ':' .. state, int(d.made), about.id)
  d.state = state
end

local function settle(d, about, state, reason)
  become(d, about, state)
  d.ended, d.next, d.reason = NOW, nil, reason
  redis.call('ZREM', P .. 'owed', about.id)
  redis.call('ZREM', line_of_receiver(about.who), about.id)
  redis.call('HINCRBY', P .. 'owed:counts', state, 1)
end

-- What it is to tell: the event as kept, with the result that succeed.lua left to the record.
local function event_of(about)
  local line = redis.call('LINDEX', P .. 'events:' .. about.job, about.seq - 1)
  if line and string.sub(line, -12) == '"result":@}}' then
    line = string.sub(line, 1, -4) .. (redis.call('HGET', job_key(about.job), 'result') or 'null') .. '}}'
  end
  return line or ''
end
