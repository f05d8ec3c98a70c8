-- L10: many side effects of one job noted at a stroke, in the journal that once.lua keeps: 'intent <token> <JSON>', 'done <JSON>', or 'open <JSON>'
-- (it certainly did not happen, and this is to be remembered).
-- ARGV: id, token ('' only reads, whoever holds the job), then for each note: key, word ('begin' | 'done' | 'open'), value (JSON, '' for none)
-- Without notes the answer is the whole journal, key, kept, key, kept …; with notes it is the keys that could not begin, being done.
-- A mailer says this for every ten of its mails: so it reads three fields of the job and not all of them, asks once for all that is to begin, and
-- writes all in one step.
local id, token, journal = ARGV[3], ARGV[4], P .. 'once:' .. ARGV[3]
local function held()
  local state, its, lease = unpack(redis.call('HMGET', job_key(id), 'state', 'token', 'lease'))
  if (state == 'running' or state == 'canceling') and tonumber(its) == tonumber(token) and (tonumber(lease) or 0) ~= 0 then return true end
  count('stale_refused')
  return false
end
if token ~= '' and not held() then return {'stale'} end
local answer = {'ok'}
if #ARGV == 4 then
  for _, text in ipairs(redis.call('HGETALL', journal)) do answer[#answer + 1] = text end
  return answer
end
if token == '' then return {'stale'} end
local LONGEST = 1000 -- values that one call takes: Lua's stack is small
local kept, asked = {}, {} -- by key, what the journal has (false: nothing)
for i = 5, #ARGV, 3 do
  if ARGV[i + 1] == 'begin' then asked[#asked + 1] = ARGV[i] end
end
for first = 1, #asked, LONGEST do
  local last = math.min(first + LONGEST - 1, #asked)
  for n, was in ipairs(redis.call('HMGET', journal, unpack(asked, first, last))) do kept[asked[first + n - 1]] = was end
end
local changed, order = {}, {}
local function keep(key, value)
  if changed[key] == nil then order[#order + 1] = key end
  kept[key], changed[key] = value, value
end
for i = 5, #ARGV, 3 do
  local key, word, value = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if word == 'begin' then
    local was = kept[key]
    if was and string.sub(was, 1, 5) == 'done ' then answer[#answer + 1] = key else keep(key, 'intent ' .. token .. ' ' .. value) end
  else
    keep(key, not (word == 'open' and value == '') and word .. ' ' .. value)
  end
end
local full, gone = {}, {}
for _, key in ipairs(order) do
  if changed[key] then
    full[#full + 1] = key
    full[#full + 1] = changed[key]
  else
    gone[#gone + 1] = key
  end
end
for first = 1, #full, LONGEST do redis.call('HSET', journal, unpack(full, first, math.min(first + LONGEST - 1, #full))) end
for first = 1, #gone, LONGEST do redis.call('HDEL', journal, unpack(gone, first, math.min(first + LONGEST - 1, #gone))) end
return answer
