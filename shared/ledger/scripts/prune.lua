-- with forget
-- One step of retention: at most so many records, so that nobody waits for it. ARGV: most, then per state: state, age ms, how many to keep
-- 'malformed' stands for the buried messages, which have no job. Answers whether there is more, children removed, then removed by state.
local left = tonumber(ARGV[3])
local orphans = forget_orphans(left)
left = left - orphans
local out, pruned = {}, orphans

local function overdue(key, age, keep)
  local over = redis.call('ZCARD', key) - keep
  local found, at = {}, redis.call('ZRANGE', key, 0, left - 1, 'WITHSCORES')
  for i = 1, #at, 2 do
    if tonumber(at[i + 1]) > NOW - age and #found >= over then break end
    found[#found + 1] = at[i]
  end
  left = left - #found
  return found
end

for i = 4, #ARGV, 3 do
  local state, age, keep = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  if left > 0 then
    local buried = state == 'malformed'
    local found, waiting = overdue(P .. (buried and 'buried' or 'done:' .. state), age, keep), 0
    for _, id in ipairs(found) do
      local r = not buried and load(id)
      if r and owes(r) then
        redis.call('ZADD', P .. 'done:' .. state, int(NOW), id) -- it comes round again, once its receiver had its day
        waiting = waiting + 1
      elseif r then
        forget(r)
      elseif buried then
        redis.call('ZREM', P .. 'buried', id)
        redis.call('ZREM', P .. 'dead', id)
        redis.call('DEL', P .. 'deadmsg:' .. id)
      else
        redis.call('ZREM', P .. 'done:' .. state, id)
      end
    end
    if #found > waiting then
      out[#out + 1] = state
      out[#out + 1] = #found - waiting
      pruned = pruned + #found - waiting
    end
  end
end
if pruned > 0 then count('pruned', pruned) end
return {(left <= 0 and pruned > 0 or redis.call('EXISTS', P .. 'orphans') == 1) and 1 or 0, orphans, out}
