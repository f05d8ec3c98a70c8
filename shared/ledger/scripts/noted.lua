-- The last look at each thing that the service stands on: name → time, a blank, problem.
return redis.call('HGETALL', P .. 'checks')
