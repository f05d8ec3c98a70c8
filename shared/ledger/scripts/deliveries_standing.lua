-- How webhooks fare: pending, out, since when the oldest is pending ('' none), receivers that fail, counts, when a deliverer last looked.
local oldest = redis.call('ZRANGE', P .. 'owed', 0, 0, 'WITHSCORES')
return {redis.call('ZCARD', P .. 'owed'), redis.call('ZCARD', P .. 'owed:out'), oldest[2] or '', redis.call('HLEN', P .. 'owed:failing'),
  redis.call('HGETALL', P .. 'owed:counts'), redis.call('GET', P .. 'owed:seen') or '', int(NOW)}
