"""What runs within Redis: putting a publish into force, and taking a staged one into the rest, piece by piece.

Both are short: while a script runs, nobody else is served. A script that fails half-way is not undone by Redis, so all
that can fail is asked for before anything is written: whether the keys are of their kinds, whether what was staged is
all there, whether this user may do each command; and the first write is the head's own, which is refused like all the
others would be (no memory, a replica, a full disk).
"""

from __future__ import annotations

from schemas.stores.redis.wire import Script

COMMIT = Script("""
-- KEYS: the head, and every other key. ARGV: the head as it was, as it is to be; the kind of each other key ("" = any);
-- then commands, each with the count of its words before it. EXPECT key n: that hash has n fields.
local at = redis.call('GET', KEYS[1]) or ''
if at == ARGV[2] then return {'done'} end
if at ~= ARGV[1] then return {'moved'} end
for i = 2, #KEYS do
  local kind = redis.call('TYPE', KEYS[i]).ok
  if ARGV[i + 1] ~= '' and kind ~= 'none' and kind ~= ARGV[i + 1] then return {'taken', KEYS[i], kind} end
end
local commands, asked, i = {}, {}, #KEYS + 2
while i <= #ARGV do
  local count = tonumber(ARGV[i])
  local command = {unpack(ARGV, i + 1, i + count)}
  i = i + count + 1
  if command[1] == 'EXPECT' then
    if redis.call('HLEN', command[2]) ~= tonumber(command[3]) then return {'lost', command[2]} end
  else
    local name = command[1] .. command[2]
    if not asked[name] and redis.acl_check_cmd and not redis.acl_check_cmd(unpack(command)) then
      return {'denied', command[1], command[2]}
    end
    asked[name] = true
    commands[#commands + 1] = command
  end
end
redis.call('SET', KEYS[1], ARGV[2])
for _, command in ipairs(commands) do
  local answer = redis.pcall(unpack(command))
  if type(answer) == 'table' and answer.err then
    -- A stream that somebody else has written to, whose ids have run ahead: begun anew, and readers load.
    if command[1] == 'XADD' then
      redis.call('UNLINK', command[2])
      redis.call(unpack(command))
    else
      error(answer.err)
    end
  end
end
return {'done'}
""")

MERGE = Script("""
-- KEYS: the head, a hash of what is to be taken in, the hash that takes it in. ARGV: the head, a cursor, a count.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end
local page = redis.call('HSCAN', KEYS[2], ARGV[2], 'COUNT', ARGV[3])
for i = 1, #page[2], 2 do
  if page[2][i + 1] == '' then
    redis.call('HDEL', KEYS[3], page[2][i])
  else
    redis.call('HSET', KEYS[3], page[2][i], page[2][i + 1])
  end
end
return page[1]
""")
