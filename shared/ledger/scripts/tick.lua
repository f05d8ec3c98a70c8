-- with admission timetable
-- One run of a schedule: the job, the note of it and the next run's time, all or nothing.
-- ARGV: schedule, its version, the run expected (ms; '' by hand: nothing is moved on), next run (ms or ''), note of what was missed
-- (JSON or ''), note of this run (JSON), wait ms after a refusal, then what `accept` takes; without that there is no job to be made.
-- Answers what `accept` does, or: noted; stale where the schedule was changed or somebody else made this run.
local id, expected = ARGV[3], ARGV[5]
local known = redis.call('HMGET', schedule_key(id), 'version', 'next')
local job = ARGV[10]
if job and redis.call('EXISTS', job_key(job)) == 1 then return {'accepted', job} end -- the same call, sent again after a lost answer
if known[1] ~= ARGV[4] or (expected ~= '' and known[2] ~= expected) then return {'stale', ''} end
local answer, run = {'noted', ''}, ARGV[8]
if job then
  answer = admit(job, ARGV[11], ARGV[12], ARGV[13], ARGV[14], tonumber(ARGV[15]), tonumber(ARGV[16]), tonumber(ARGV[17]), rest(18))
  if answer[1] == 'full' or answer[1] == 'quota' then
    if expected ~= '' then redis.call('ZADD', P .. 'ticks', int(NOW + tonumber(ARGV[9])), id) end -- again a little later, out of others' way
    return answer
  end
  if answer[1] ~= 'accepted' and (answer[1] ~= 'replayed' or expected == '') then return answer end
  run = '{"job":"' .. answer[2] .. '",' .. string.sub(run, 2)
end
note_run(id, ARGV[7])
note_run(id, run)
if expected ~= '' then expect(id, ARGV[6]) end
return answer
