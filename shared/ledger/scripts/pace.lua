-- Slots under rates that all processes share: the generic cell rate algorithm (ITU-T I.371), one number for each rate, the time at which it has
-- room again. A slot is given where all of a request's rates have room within the horizon, and counts against each of them; else none does.
-- ARGV: horizon in ms, then for each request: how many rates, and for each its name and the ms between two slots.
-- For each request: ms until its slot, 0 | or -ms until it is worth asking again, and which rate (from 0) makes it wait.
local LATE = 100 -- ms: what who comes late may catch up on, so that the rate is reached and not only not exceeded
local horizon, free, touched, out = tonumber(ARGV[3]), {}, {}, {}
local at = 4
while at <= #ARGV do
  local n, slot, binding = tonumber(ARGV[at]), NOW, 0
  for i = 0, n - 1 do
    local name = ARGV[at + 1 + 2 * i]
    if not free[name] then free[name] = math.max(tonumber(redis.call('GET', P .. 'pace:' .. name) or NOW), NOW - LATE) end
    if free[name] > slot then slot, binding = free[name], i end
  end
  local wait = slot - NOW
  if wait <= horizon then
    for i = 0, n - 1 do
      local name = ARGV[at + 1 + 2 * i]
      free[name] = free[name] + tonumber(ARGV[at + 2 + 2 * i])
      touched[name] = true
    end
    out[#out + 1] = math.ceil(wait)
  else
    out[#out + 1] = -math.ceil(wait - horizon)
  end
  out[#out + 1] = binding
  at = at + 1 + 2 * n
end
for name in pairs(touched) do
  redis.call('SET', P .. 'pace:' .. name, string.format('%.3f', free[name]), 'PX', int(math.max(0, free[name] - NOW)) + 10000)
end
return out
