-- with pausing
-- Is the job to make room: because it, or its parent, was paused, or because a job waits in one of these queues whose turn would come if a worker were free? Who waits for a cap of their own (`parked`) does not
-- count, who waits for the service's ('*') does. ARGV: the job, queues
local r = load(ARGV[3])
if r and is_paused(r) then return 1 end
for i = 4, #ARGV do
  if redis.call('ZCARD', P .. 'turn:' .. ARGV[i]) > 0 then return 1 end
  local parked = redis.call('HGET', P .. 'parked', '*')
  if parked and string.find(' ' .. parked .. ' ', ' ' .. ARGV[i] .. ' ', 1, true) then return 1 end
end
return 0
