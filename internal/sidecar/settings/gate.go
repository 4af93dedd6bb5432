package settings

import (
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/listen"
	"github.com/flagside/flagside/internal/sidecar"
	"github.com/flagside/flagside/internal/sidecar/gate"
)

// declareGate declares what the gate answers.
func declareGate(set *config.Set, o *sidecar.Options) {
	g := &o.Gate
	set.Listener(&o.GateAddr, "gate-addr", listen.Off,
		"address that answers a proxy with the variants of flags as header fields, for applications that do not know of flags; may be repeated; see docs/gateway.md")
	set.Listener(&o.GateGRPCAddr, "gate-grpc-addr", listen.Off, "address that answers an Envoy over gRPC in the same way; may be repeated")
	set.Map(&g.Flags, "gate-flags",
		"/path=key,key: flags that the gate evaluates for requests whose path begins so; / is every path, and of several the longest counts; may be repeated, "+
			"in the file an object")
	set.String(&g.Tag, "gate-tag", "", "in place of --gate-flags: the gate evaluates every flag with this tag, for every path")
	set.Map(&g.Headers, "gate-context-from-header",
		"Header=attribute: a header of the visitor's request that is an attribute of the context; targetingKey is who is asked about; may be repeated, in the file an object")
	set.Map(&g.Cookies, "gate-context-from-cookie", "cookie=attribute: the same for a cookie; may be repeated, in the file an object")
	set.Map(&g.Queries, "gate-context-from-query", "parameter=attribute: the same for a parameter of the query; may be repeated, in the file an object")
	set.File(&g.VisitorKeyFile, "gate-visitor-key-file", "",
		"file with secrets of 32 bytes or more, one per line: a visitor without a targetingKey gets a random one, in a cookie that the first signs and each verifies; "+
			"reloaded when it changes; without it such visitors get no cookie")
	set.String(&g.Cookie, "gate-cookie", gate.DefaultCookie, "name of that cookie")
	set.Duration(&g.Lifetime, "gate-cookie-lifetime", gate.DefaultLifetime, "how long browsers keep that cookie")
	set.Bool(&g.InsecureCookie, "gate-cookie-insecure", false, "let browsers send that cookie over plain HTTP")
	set.Duration(&g.MaxAge, "gate-max-age", gate.DefaultMaxAge, "how long a proxy may use an answer of the gate again; less than a second is not at all")
	set.Duration(&g.Deadline, "gate-deadline", gate.DefaultDeadline, "longest wait of a request to the gate for fresher flags, where flags demand that")
}
