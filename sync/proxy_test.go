package flagsync_test

import (
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/faultnet"
)

// proxy stands between clients and one server.
type proxy struct{ *faultnet.Proxy }

func newProxy(tb testing.TB, url string) *proxy {
	tb.Helper()
	return &proxy{faultnet.Start(tb, strings.TrimPrefix(url, "nats://"))}
}

func (p *proxy) url() string { return "nats://" + p.Addr() }

// blackHole swallows everything on the connections there are, for good, and on
// those to come until it is turned off.
func (p *proxy) blackHole(on bool) {
	var r faultnet.Rule
	if on {
		r.Action = faultnet.Drop
	}
	p.Set(faultnet.Faults{ToServer: r, ToClient: r})
}
