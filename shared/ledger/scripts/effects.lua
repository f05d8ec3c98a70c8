-- L10: many side effects of one job noted at a stroke, in the journal that once.lua keeps: 'intent <token> <JSON>', 'done <JSON>', or 'open <JSON>'
-- (it certainly did not happen, and this is to be remembered).
-- ARGV: id, token ('' only reads, whoever holds the job), then for each note: key, word ('begin' | 'done' | 'open'), value (JSON, '' for none)
-- Without notes the answer is the whole journal, key, kept, key, kept …; with notes it is the keys that could not begin, being done.
local id, token, journal = ARGV[3], ARGV[4], P .. 'once:' .. ARGV[3]
if token ~= '' and not holds(load(id), token) then return {'stale'} end
local answer = {'ok'}
if #ARGV == 4 then
  for _, text in ipairs(redis.call('HGETALL', journal)) do answer[#answer + 1] = text end
  return answer
end
if token == '' then return {'stale'} end
for i = 5, #ARGV, 3 do
  local key, word, value = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if word == 'begin' then
    local was = redis.call('HGET', journal, key)
    if was and string.sub(was, 1, 5) == 'done ' then answer[#answer + 1] = key
    else redis.call('HSET', journal, key, 'intent ' .. token .. ' ' .. value) end
  elseif word == 'open' and value == '' then redis.call('HDEL', journal, key)
  else redis.call('HSET', journal, key, word .. ' ' .. value) end
end
return answer
