-- How much of what they would like to do at once all processes may do, for one other side: halved where it says that it is too much, a little
-- more with each success (additive increase, multiplicative decrease: Chiu and Jain, 1989). Gone, and so whole again, an hour after the last word.
-- ARGV: name, '1' to halve it (at most once a second: all see the same crowd), how much to add. Answers the share, 0 to 1.
local key = P .. 'crowd:' .. ARGV[3]
local kept = redis.call('HMGET', key, 'share', 'at')
local share, before = tonumber(kept[1]) or 1, tonumber(kept[2]) or 0
if ARGV[4] == '1' and NOW - before >= 1000 then
  share, before = math.max(share / 2, 1 / 1024), NOW
elseif share < 1 then
  share = share + tonumber(ARGV[5])
end
if share >= 1 then
  if kept[1] then redis.call('DEL', key) end
  return '1'
end
if ARGV[4] == '1' or tonumber(ARGV[5]) > 0 then
  redis.call('HSET', key, 'share', tostring(share), 'at', int(before))
  redis.call('PEXPIRE', key, 3600000)
end
return tostring(share)
