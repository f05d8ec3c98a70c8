-- Included by the scripts that forget jobs. Each record costs the same few commands, however much hangs on it: children stay behind on
-- the list `orphans` and bytes on the list `bytes`, in the same step as the record goes, and both lists are worked off by retention.
-- So a crash leaves no record that points to missing bytes, and no bytes that nobody will remove.
local function leaves_bytes(r, kids)
  if r.parent ~= '' then return false end -- a child's bytes lie in its parent's folder
  local made = redis.call('HMGET', job_key(r.id), 'artifacts', 'request_blob')
  if kids or made[2] or (made[1] and made[1] ~= '[]') then return true end
  return r.token > 1 or (r.started ~= 0 and r.state ~= 'succeeded') -- what a lost or failed attempt stored, no record tells
end

local function let_uploads_go(r)
  local inputs = r.parent == '' and redis.call('HGET', job_key(r.id), 'inputs')
  for name in pairs(inputs and cjson.decode(inputs) or {}) do
    if redis.call('HINCRBY', P .. 'uploads', name, -1) <= 0 then redis.call('HDEL', P .. 'uploads', name) end
  end
end

-- The deliveries of its webhook go with it: without the job's events nobody could say what they were to tell.
local function forget_deliveries(r)
  local owed, receiver = P .. 'deliveries:' .. r.id, r.tenant .. ' ' .. (redis.call('HGET', job_key(r.id), 'receiver') or '')
  for _, seq in ipairs(redis.call('HKEYS', owed)) do
    local id = r.id .. ':' .. seq
    for _, index in ipairs({'owed', 'owed:out', 'owed:out:' .. receiver, 'owed:for:' .. r.tenant, 'owed:line:' .. receiver}) do redis.call('ZREM', P .. index, id) end
    for _, state in ipairs({'pending', 'delivered', 'failed'}) do redis.call('ZREM', P .. 'owed:of:' .. r.tenant .. ':' .. state, id) end
  end
  redis.call('UNLINK', owed)
  if redis.call('EXISTS', P .. 'owed:line:' .. receiver) == 1 then
    redis.call('ZADD', P .. 'owed:turn', 'LT', int(NOW), receiver) -- one that was out has made room
  elseif redis.call('EXISTS', P .. 'owed:out:' .. receiver) == 0 then
    for _, what in ipairs({'hold', 'failing'}) do redis.call('HDEL', P .. 'owed:' .. what, receiver) end
  end
end

-- Whether its webhook has deliveries that are still tried: retention waits for them, a day at most.
local function owes(r)
  for _, delivery in ipairs(r.tells ~= '' and redis.call('HVALS', P .. 'deliveries:' .. r.id) or {}) do
    if cjson.decode(delivery).state == 'pending' then return true end
  end
  return false
end

local function forget(r)
  local kids = redis.call('EXISTS', P .. 'kids:' .. r.id) == 1
  if leaves_bytes(r, kids) then redis.call('ZADD', P .. 'bytes', int(NOW), r.id) end
  if kids then redis.call('ZADD', P .. 'orphans', int(NOW), r.id) end
  let_uploads_go(r)
  if r.tells ~= '' then forget_deliveries(r) end
  drop_lease(r)
  unready(r)
  tally(r.state, -1)
  list(r, r.state, false)
  if r.parent == '' then redis.call('ZREM', P .. 'done:' .. r.state, r.id) end
  for _, index in ipairs({'dead', 'due', 'deadlines'}) do redis.call('ZREM', P .. index, r.id) end
  redis.call('SREM', P .. 'pausing', r.id)
  redis.call('UNLINK', job_key(r.id), P .. 'paused:' .. r.id, P .. 'events:' .. r.id, P .. 'attempts:' .. r.id, P .. 'once:' .. r.id)
end

-- Children whose parent is gone, at most `most` of them; how many went. Their list shrinks with them, never read as a whole.
local function forget_orphans(most)
  local gone = 0
  while gone < most do
    local parent = redis.call('ZRANGE', P .. 'orphans', 0, 0)[1]
    if not parent then break end
    local kids = P .. 'kids:' .. parent
    local some = redis.call('HRANDFIELD', kids, most - gone)
    if #some == 0 then redis.call('ZREM', P .. 'orphans', parent) end
    for _, index in ipairs(some) do
      local child = load(parent .. '.' .. index)
      if child then forget(child) end
      redis.call('HDEL', kids, index)
      gone = gone + 1
    end
  end
  return gone
end
