-- Fairness between tenants (start-time fair queueing: Goyal, Vin, Cheng, SIGCOMM 1996, with every job of the same size): each tenant
-- has a line of its own per queue, and tenants with a line take turns. A tenant that comes anew starts at the turn under way.
local function line_of(queue, tenant) return P .. 'line:' .. queue .. ':' .. tenant end

-- Within a tenant's line jobs go by age, but a parent's children stand there as one, under FAMILY and the parent's id; behind it they go by
-- their index. Whenever one of them is taken, the family goes to the end of the line: a film's 200 segments let a clip that came later pass.
local FAMILY = '~' -- sorts after every id: what came in the same millisecond goes first
local function kin_of(queue, parent) return P .. 'kin:' .. queue .. ':' .. parent end
local function families_of(queue, tenant) return P .. 'families:' .. queue .. ':' .. tenant end

-- The job at the head of a tenant's line; where it is of a family, its parent's id, too.
local function first_of(queue, tenant)
  local first = redis.call('ZRANGE', line_of(queue, tenant), 0, 0)[1]
  local family = first and string.sub(first, 1, 1) == FAMILY and string.sub(first, 2)
  return family and redis.call('ZRANGE', kin_of(queue, family), 0, 0)[1] or first, family
end

-- How many jobs stand in a tenant's line.
local function length_of(queue, tenant)
  local n = redis.call('ZCARD', line_of(queue, tenant))
  for _, parent in ipairs(redis.call('SMEMBERS', families_of(queue, tenant))) do n = n + redis.call('ZCARD', kin_of(queue, parent)) - 1 end
  return n
end

local function come_to_turn(queue, tenant)
  redis.call('ZADD', P .. 'turn:' .. queue, 'NX', redis.call('HGET', P .. 'turns', queue) or '0', tenant)
end

-- Caps on running jobs. Whoever is at its cap, a tenant or (as '*') the whole service, is parked: it takes no turns in that queue, and no
-- doorbell is rung for it, until one of its leases ends. So a job that may not start costs nobody anything, and is rung when it may.
local function is_in(queues, queue) return queues and string.find(' ' .. queues .. ' ', ' ' .. queue .. ' ', 1, true) ~= nil end

local function note(what, who, queue)
  local queues = redis.call('HGET', P .. what, who)
  if not is_in(queues, queue) then redis.call('HSET', P .. what, who, queues and queues .. ' ' .. queue or queue) end
end

local function park(who, queue)
  note('parked', who, queue)
  note('short', who, queue) -- of doorbells: from now on there may be fewer than jobs, until nothing of its waits there any more
  redis.call('ZREM', P .. 'turn:' .. queue, who)
end

-- Answers whether a doorbell is of any use.
local function queue_up(r, front)
  -- What has waited its turn already goes by its age, which puts it first.
  local member = r.id
  if r.parent ~= '' then
    redis.call('ZADD', kin_of(r.queue, r.parent), int(tonumber(r.index) or 0), r.id)
    redis.call('SADD', families_of(r.queue, r.tenant), r.parent)
    member = FAMILY .. r.parent
  end
  redis.call('ZADD', line_of(r.queue, r.tenant), 'NX', int(front and r.created or NOW), member)
  local parked = redis.call('HMGET', P .. 'parked', r.tenant, '*')
  if is_in(parked[1], r.queue) then return false end
  come_to_turn(r.queue, r.tenant)
  return not is_in(parked[2], r.queue)
end

local function leave_line(queue, tenant, id)
  redis.call('ZREM', line_of(queue, tenant), id)
  if redis.call('EXISTS', line_of(queue, tenant)) == 0 then redis.call('ZREM', P .. 'turn:' .. queue, tenant) end
end

-- One child leaves; what is left of its family goes to the end of the line.
local function leave_kin(queue, tenant, parent, id)
  local kin = kin_of(queue, parent)
  redis.call('ZREM', kin, id)
  if redis.call('EXISTS', kin) == 0 then
    redis.call('SREM', families_of(queue, tenant), parent)
    leave_line(queue, tenant, FAMILY .. parent)
  else
    local line, member = line_of(queue, tenant), FAMILY .. parent
    local last = redis.call('ZREVRANGE', line, 0, 0, 'WITHSCORES')
    local behind = last[1] and last[1] ~= member and tonumber(last[2]) + 1 or 0 -- behind even what came in this very millisecond
    redis.call('ZADD', line, 'XX', int(math.max(NOW, behind)), member)
  end
end

-- Strike a doorbell: `front` for what has waited its turn already (rescued, woken, given back).
local function strike(r, front)
  if RINGS_HERE then
    local bell = redis.call('HGET', job_key(r.id), 'bell')
    if bell then
      -- kombu keeps unacked messages by delivery tag, so that no two copies of a message may share one.
      local tag = r.id .. '.' .. redis.call('HINCRBY', P .. 'counters', 'rung', 1)
      local at, to = string.find(bell, '@TAG@', 1, true)
      if at then bell = string.sub(bell, 1, at - 1) .. tag .. string.sub(bell, to + 1) end
      redis.call(front and 'RPUSH' or 'LPUSH', r.queue, bell)
    end
  else
    redis.call(front and 'LPUSH' or 'RPUSH', P .. 'outbox', r.id)
  end
end

-- The job is ready to run.
local function ring(r, front)
  redis.call('ZADD', P .. 'ready:' .. r.queue, int(NOW), r.id)
  if queue_up(r, front) then strike(r, front) end
end

-- A lease has ended: whoever was parked for want of it takes turns again, and one doorbell is struck in each queue where it waits and is
-- short of them. Short it stays: two leases may end before the first one's doorbell is answered.
local function make_room(...)
  for _, who in ipairs({...}) do
    local queues = redis.call('HGET', P .. 'short', who)
    redis.call('HDEL', P .. 'parked', who)
    redis.call('HDEL', P .. 'short', who)
    for queue in string.gmatch(queues or '', '%S+') do
      local first = who == '*' and redis.call('ZRANGE', P .. 'ready:' .. queue, 0, 0)[1] or who ~= '*' and first_of(queue, who)
      if first and who ~= '*' then come_to_turn(queue, who) end
      local r = first and load(first)
      if r then
        note('short', who, queue)
        strike(r, true)
      end
    end
  end
end

-- How many jobs wait in each queue because of a cap: by queue.
local function held_back()
  local out, parked = {}, redis.call('HGETALL', P .. 'parked')
  local whole = redis.call('HGET', P .. 'parked', '*')
  for i = 1, #parked, 2 do
    for queue in string.gmatch(parked[i + 1], '%S+') do
      if parked[i] == '*' then
        out[queue] = redis.call('ZCARD', P .. 'ready:' .. queue)
      elseif not is_in(whole, queue) then
        out[queue] = (out[queue] or 0) + length_of(queue, parked[i])
      end
    end
  end
  return out
end

local function unready(r)
  redis.call('ZREM', P .. 'ready:' .. r.queue, r.id)
  if r.parent ~= '' then leave_kin(r.queue, r.tenant, r.parent, r.id) end
  leave_line(r.queue, r.tenant, r.id)
end
