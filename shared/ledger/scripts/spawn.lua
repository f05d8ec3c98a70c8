-- Make children, some at a time; safe to repeat, because a child's id is its parent's and its index.
-- ARGV: parent id, token, then per child: index, n, n field/value strings
local p = load(ARGV[3])
if not holds(p, ARGV[4]) then return {'stale'} end
local at, kids = 5, P .. 'kids:' .. p.id
while at <= #ARGV do
  local index, n = ARGV[at], tonumber(ARGV[at + 1])
  local fields = {}
  for i = at + 2, at + 1 + n do fields[#fields + 1] = ARGV[i] end
  at = at + 2 + n
  local id = p.id .. '.' .. index
  local r = load(id)
  if not r then
    redis.call('HSET', kids, index, 'open')
    r = create(id, fields)
    emit(r, 'accepted', '{"epoch":1}')
    ring(r, false)
  elseif TERMINAL[r.state] and r.state ~= 'succeeded' then
    redis.call('HSET', job_key(id), unpack(fields))
    redis.call('HSET', kids, index, 'open')
    redis.call('ZREM', P .. 'dead', id)
    move(r, 'queued')
    set(r, 'epoch', r.epoch + 1, 'attempt', 0, 'errors', 0, 'crashes', 0, 'started', '', 'frac', '0', 'total', 0, 'ok', 0, 'bad', 0, 'sealed', '')
    redis.call('HDEL', job_key(id), 'finished', 'error', 'reason', 'result')
    emit(r, 'redriven', '{"epoch":' .. int(r.epoch) .. '}')
    ring(r, false)
  end
end
return {'ok', p.state}
