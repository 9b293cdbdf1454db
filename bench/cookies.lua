-- Requests with a cookie of a list (LH_COOKIES: a file, one "name=value" a line), in random order;
-- to the tenant LH_TENANT ("acme"). LH_PAUSE_MS: how long each connection waits before each request.
-- Each request's text is made beforehand, so that every form costs the load generator the same.
local requests = {}
local pause_ms = tonumber(os.getenv("LH_PAUSE_MS"))

if pause_ms then
    function delay()
        return pause_ms
    end
end

function init(arguments)
    for cookie in io.lines(os.getenv("LH_COOKIES")) do
        requests[#requests + 1] = wrk.format("GET", "/", { Cookie = cookie, ["X-Tenant-ID"] = os.getenv("LH_TENANT") or "acme" })
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
