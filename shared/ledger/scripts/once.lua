-- L10: the journal of a job's side effects, one field a key: 'intent <nonce>' before it, 'done <JSON>' after.
-- ARGV: id, token, key, word ('begin' | 'done' | 'withdraw'), nonce of this try, value (JSON, for 'done')
-- 'begin' answers: open, done (with the value), unknown (another try meant to, and nobody knows whether it did; the intent is ours now).
local r = load(ARGV[3])
if not holds(r, ARGV[4]) then return {'stale'} end
local journal, key, mine = P .. 'once:' .. r.id, ARGV[5], 'intent ' .. ARGV[7]
local was = redis.call('HGET', journal, key)
if ARGV[6] == 'begin' then
  if was and string.sub(was, 1, 5) == 'done ' then return {'done', string.sub(was, 6)} end
  redis.call('HSET', journal, key, mine)
  if was and was ~= mine and string.sub(was, 1, 5) ~= 'open ' then count('effect_unknown'); return {'unknown', ''} end -- was == mine: the same call, sent again after a lost answer
  return {'open', ''}
end
if ARGV[6] == 'done' then
  redis.call('HSET', journal, key, 'done ' .. ARGV[8])
elseif was == mine then
  redis.call('HDEL', journal, key)
end
return {'ok', ''}
