-- Asks the gate of the sidecar for the flags of a request, by way of "listen gate" in haproxy.cfg, whose times bound it.
local gate = { url = "http://flagside/v1/gate", dst = "abns@flagside-gate", timeout = 50 }

core.register_action("flags", { "http-req" }, function(txn)
  local headers = txn.http:req_get_headers()
  headers["host"] = nil
  headers["content-length"] = nil
  headers["transfer-encoding"] = nil
  headers["connection"] = nil
  headers["x-forwarded-uri"] = { [0] = txn.f:pathq() }
  local ok, answer = pcall(function()
    return core.httpclient():get({ url = gate.url, dst = gate.dst, headers = headers, timeout = gate.timeout })
  end)
  if not ok or answer == nil or answer.status ~= 200 then
    return
  end
  for name, values in pairs(answer.headers) do
    if name == "x-flags" or name:sub(1, 7) == "x-flag-" then
      txn.http:req_set_header(name, values[0])
    elseif name == "set-cookie" then
      txn:set_var("txn.visitor", values[0])
    end
  end
end, 0)
