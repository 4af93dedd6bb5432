// Package settings is the part of the option table that every program with a sidecar in it has: where the sidecar listens, who may ask, and
// what evaluation contexts get beside what requests say.
package settings

import (
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/sidecar"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// Declare declares the options, which fill in o.
func Declare(set *config.Set, o *sidecar.Options) {
	set.Listener(&o.OFREPAddr, "ofrep-addr", sidecar.DefaultOFREPAddr, "address that answers OFREP evaluations; it cannot be off; may be repeated, so that TCP and a socket answer")
	set.List(&o.Origins, "cors-origin", nil,
		"origin whose pages may send OFREP requests from a browser, such as https://shop.example, or * for all; may be repeated")
	set.List(&o.Hosts, "allowed-host", nil,
		"host name (without port) that HTTP/1.1 requests to a TCP port may use besides localhost and loopback addresses, or * for any; may be repeated; "+
			"without it only ports on loopback check the name")
	set.File(&o.OFREPAuthFile, "ofrep-auth-file", "",
		"file with tokens, one per line; every OFREP request then needs one of them; reloaded when it changes; without it no token is needed")
	set.Listener(&o.FlagdAddr, "flagd-addr", sidecar.DefaultFlagdAddr, "address that answers flagd.evaluation, for the RPC mode of flagd's providers; may be repeated")
	set.Listener(&o.FlagdSyncAddr, "flagd-sync-addr", sidecar.DefaultFlagdSyncAddr,
		"address that answers flagd.sync, for the in-process mode of flagd's providers; may be repeated")
	set.File(&o.FlagdAuthFile, "flagd-auth-file", "",
		"file with tokens, one per line; every request to --flagd-addr and --flagd-sync-addr except health checks then needs one of them; "+
			"reloaded when it changes; without it no token is needed")
	declareGate(set, o)
	set.Address(&o.ManagementAddr, "management-addr", sidecar.DefaultManagementAddr,
		"address of the sidecar's /healthz, /readyz, /status, /metrics and /explain")
	set.Map(&o.Context.Static, "context",
		"attribute=value that every evaluation context gets, in place of the request's; may be repeated, in the file an object; "+
			"after a single equals sign the value may have commas").Short("X")
	set.Map(&o.Context.Headers, "context-from-header",
		"Header=attribute: a request header that is an attribute of its context, in place of --context and of the request's; may be repeated, "+
			"in the file an object").Short("H")
	set.Duration(&o.RequestTimeout, "request-timeout", resolver.DefaultTimeout,
		"longest time to evaluate the flags of one request, not counting the wait of --freshness-deadline; then the answer is an error")
	set.Int(&o.MaxEvaluationWork, "max-evaluation-work", eval.DefaultMaxWork,
		"most rule nodes that one evaluation may visit; list elements and every 8 bytes of long texts count too; then the answer is PARSE_ERROR; "+
			"a document that needs more is refused, so give publishers the same")
	set.Int(&o.MetricsPerFlag, "metrics-per-flag", 0,
		"number of flags with their own counter for evaluations by key, the busiest first; at most 1000")
}
