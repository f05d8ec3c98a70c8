-- Included by the scripts about pauses. `pausing` has the top-level jobs that are paused. Of such a job and its children none is claimed:
-- whoever would be is taken out of its line and noted in `paused:<id>`, until the pause is over. What runs already is asked to make room.
local function owner_of(r) return r.parent ~= '' and r.parent or r.id end
local function is_paused(r) return redis.call('SISMEMBER', P .. 'pausing', owner_of(r)) == 1 end

-- Out of the line where it is paused; a parent whose children have ended may say so all the same.
local function stands_aside(r)
  if r.state ~= 'queued' or not is_paused(r) then return false end
  unready(r)
  redis.call('SADD', P .. 'paused:' .. owner_of(r), r.id)
  return true
end

local function tell_pause(r, step, detail)
  local told = cjson.decode(redis.call('HGET', job_key(r.id), 'progress') or '{"fraction":0}')
  local data = cjson.encode({fraction = told.fraction or 0, step = step, detail = detail})
  set(r, 'progress', data)
  emit(r, 'progressed', data)
end

-- A pause is over, or of no more use.
local function end_pause(id)
  if redis.call('SREM', P .. 'pausing', id) == 0 then return false end
  redis.call('HDEL', job_key(id), 'paused')
  for _, one in ipairs(redis.call('SMEMBERS', P .. 'paused:' .. id)) do
    local r = load(one)
    if r and r.state == 'queued' and not redis.call('ZSCORE', P .. 'ready:' .. r.queue, one) then
      redis.call('ZADD', P .. 'due', int(math.max(NOW, r.run_at)), one) -- the next look rings for it: five hundred at a time
    end
  end
  redis.call('DEL', P .. 'paused:' .. id)
  return true
end
