package origin_test

import (
	"net"
	"testing"

	"github.com/flagside/flagside/internal/origin"
)

var (
	loopback = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8016}
	open     = &net.TCPAddr{IP: net.IPv4zero, Port: 8016}
	socket   = &net.UnixAddr{Net: "unix", Name: "/run/flagside.sock"}
)

func TestHosts(t *testing.T) {
	t.Parallel()
	f := func(at net.Addr, allowed []string, host string, want bool) {
		t.Helper()
		p := origin.For(at, allowed, nil)
		if got := origin.HostAllowed(p, host); got != want {
			t.Errorf("%v with %q: %q is let through: %v", at, allowed, host, got)
		}
		if got := origin.HostAllowed(p, []byte(host)); got != want {
			t.Errorf("%v with %q: the bytes of %q are let through: %v", at, allowed, host, got)
		}
	}
	for _, host := range []string{
		"localhost", "LOCALHOST:8016", "127.0.0.1", "127.0.0.1:1", "127.8.9.1:1", "[::1]", "[::1]:8016", "[::ffff:127.0.0.1]:1", "[0:0:0:0:0:0:0:1]",
	} {
		f(loopback, nil, host, true)
		f(open, []string{"flags.shop"}, host, true)
	}
	for _, host := range []string{
		"", ":8016", "evil.example", "evil.example:8016", "localhost.evil.example", "127.0.0.1.evil.example", "192.168.1.2", "0.0.0.0", "[::]", "::",
		"::1", "[fe80::1]:8016", "localhost:8016:1", "[localhost", "[::1%lo]", "127.0.0.1%00", "127.1", "0x7f000001", "localhost.",
	} {
		f(loopback, nil, host, false)
		f(loopback, []string{"flags.shop"}, host, false)
		f(loopback, []string{"*"}, host, host != "" && host != ":8016" && host != "::" && host != "::1" && host != "localhost:8016:1" && host != "[localhost")
		f(open, nil, host, true)
		f(socket, []string{"flags.shop"}, host, true)
	}
	f(loopback, []string{"other", "flags.shop"}, "Flags.Shop:8016", true)
	f(open, []string{"flags.shop"}, "10.0.0.7:8014", true) // a probe names the address of its pod
	f(open, []string{"flags.shop"}, "evil.example", false)
}

func TestSites(t *testing.T) {
	t.Parallel()
	f := func(origins []string, site, from, host string, want bool) {
		t.Helper()
		p := origin.For(loopback, nil, origins)
		if got := origin.SiteAllowed(p, site, from, host); got != want {
			t.Errorf("with %q: site %q, origin %q of %q is let through: %v", origins, site, from, host, got)
		}
	}
	const host, here, shop = "localhost:8016", "http://localhost:8016", "https://shop.example"
	f(nil, "", "", host, true)
	f(nil, "none", "", host, true)
	f(nil, "same-origin", here, host, true)
	f(nil, "", here, host, true)
	for _, site := range []string{"cross-site", "same-site", "else"} {
		f(nil, site, "", host, false)
		f(nil, site, here, host, false)
		f([]string{shop}, site, shop, host, true)
		f([]string{shop}, site, "", host, false)
		f([]string{"*"}, site, "", host, true)
	}
	f(nil, "", "null", host, false)
	f(nil, "", shop, host, false)
	f(nil, "", "http://evil-localhost:8016", host, false)
	f(nil, "", "http://localhost:3000", host, false)
	f([]string{shop}, "", "https://other.example", host, false)
	if origin.SiteAllowed(nil, "cross-site", "", host) || !origin.SiteAllowed(nil, "", "", host) {
		t.Error("no policy does not keep other sites away, and only them")
	}
}

func TestValidateHosts(t *testing.T) {
	t.Parallel()
	if err := origin.ValidateHosts([]string{"*", "flags.shop", "10.0.0.7", "[fd00::1]"}); err != nil {
		t.Error(err)
	}
	for _, host := range []string{"", "flags.shop:8016", "http://flags.shop", "a b", "*.shop", "fd00::1", "shop/"} {
		if origin.ValidateHosts([]string{host}) == nil {
			t.Errorf("%q is a host", host)
		}
	}
}
