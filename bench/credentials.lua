-- Requests with a credential of a list (LH_CREDENTIALS: a file, one value of the header LH_HEADER, by default
-- "Cookie", a line), in random order; to the tenant LH_TENANT ("acme"). LH_PAUSE_MS: how long each connection
-- waits on average before each request. Each request's text is made beforehand, so that every form costs the load generator the same.
local requests = {}
local pause_ms = tonumber(os.getenv("LH_PAUSE_MS"))

-- By chance between 1 ms and twice the pause: with one and the same pause connections that began together stay together,
-- and every answer waits for those of all the others.
if pause_ms then
    function delay()
        return math.random(1, 2 * pause_ms - 1)
    end
end

function init(arguments)
    local headers = { ["X-Tenant-ID"] = os.getenv("LH_TENANT") or "acme" }
    for credential in io.lines(os.getenv("LH_CREDENTIALS")) do
        headers[os.getenv("LH_HEADER") or "Cookie"] = credential
        requests[#requests + 1] = wrk.format("GET", "/", headers)
    end
    math.randomseed(20260101)
end

function request()
    return requests[math.random(#requests)]
end

function done(summary, latency, requests_made)
    local refused = summary.errors.status
    print(string.format("RESULT %d %d %d %d", summary.requests, summary.duration, refused,
                        latency:percentile(99)))
end
