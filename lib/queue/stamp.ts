// Where in a job's life a write comes from. Whatever Redis holds about a job carries one, and an older one never replaces it.

/** Which claim of which retry: the part of a stamp that tells writers apart. */
export interface Fencing {
  gen: number;
  fence: number;
}

/** The same, with the commit it speaks of. */
export interface Stamp extends Fencing {
  seq: number;
}

/**
 * Lua: whether (gen, fence) in ARGV[1..2] is older than the stamp in a hash. Numbers, since "10" < "9" as strings.
 * Prepended to every script that guards a write.
 */
export const STALE_LUA = `
local function stale(key, gen, fence)
  local held = redis.call('HMGET', key, 'gen', 'fence')
  if not held[1] then return false end
  local heldGen, heldFence = tonumber(held[1]), tonumber(held[2])
  return gen < heldGen or (gen == heldGen and fence < heldFence)
end
`;
