-- Whether a Trunk, DispatchRule or PhoneNumber is in use as it was written: for Argo CD.
local health = {status = "Progressing", message = "the operator has not looked at it yet"}
if obj.metadata.deletionTimestamp ~= nil then
  health.message = "it goes when nothing of it is live any more"
end
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return health
end
-- These pass by themselves: a bridge takes it over, one starts, the target is back.
local passes = {Pending = true, NoBridge = true, RemoteError = true}
for _, condition in ipairs(obj.status.conditions or {}) do
  if condition.type == "Ready" then
    health.message = condition.message or condition.reason
    if condition.status == "True" then
      health.status = "Healthy"
    elseif not passes[condition.reason] then
      health.status = "Degraded"
    end
  end
end
return health
