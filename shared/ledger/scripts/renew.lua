-- The worker's parent: alive, and still holding its jobs. ARGV: worker, lease ms, info (JSON), ttl s of the worker's entry
-- Answers id, token, pid, state of each job it holds ("canceling" is how it learns of a cancel).
local worker, lease = ARGV[3], tonumber(ARGV[4])
redis.call('ZADD', P .. 'workers', int(NOW), worker)
redis.call('SET', P .. 'worker:' .. worker, ARGV[5], 'EX', ARGV[6])
local held = {}
for _, id in ipairs(redis.call('HKEYS', P .. 'owned:' .. worker)) do
  local r = load(id)
  if r and r.worker == worker and r.lease ~= 0 then
    set(r, 'lease', NOW + lease)
    redis.call('ZADD', P .. 'leases', 'XX', int(NOW + lease), id)
    held[#held + 1] = {id, int(r.token), r.pid, told_state(r)}
  else
    redis.call('HDEL', P .. 'owned:' .. worker, id)
  end
end
return held
