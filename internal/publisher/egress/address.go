package egress

import (
	"fmt"
	"net/netip"
	"slices"
)

// refused is a range of addresses that nothing is sent to.
type refused struct {
	network netip.Prefix
	what    string
	private bool // allowPrivate: true allows it
}

// refusedRanges returns what is not public, the first of several counts. Those that are not private are refused unless a network in allowPrivate lies in them:
// they are the machine's own link, where clouds keep credentials, or no addresses of one receiver.
func refusedRanges() []refused {
	r := func(network, what string, private bool) refused {
		return refused{netip.MustParsePrefix(network), what, private}
	}
	return []refused{
		r("169.254.169.254/32", "the metadata of a cloud", false),
		r("100.100.100.200/32", "the metadata of a cloud", false),
		r("168.63.129.16/32", "the metadata of a cloud", false),
		r("192.0.0.0/24", "reserved", false),
		r("fd00:ec2::/32", "the metadata of a cloud", false),
		r("fd20:ce::/32", "the metadata of a cloud", false),
		r("fd00:42::/32", "the metadata of a cloud", false),
		r("fd00:c1::/32", "the metadata of a cloud", false),
		r("0.0.0.0/8", "this machine", false),
		r("::/128", "this machine", false),
		r("127.0.0.0/8", "loopback", true),
		r("::1/128", "loopback", true),
		r("10.0.0.0/8", "private", true),
		r("172.16.0.0/12", "private", true),
		r("192.168.0.0/16", "private", true),
		r("fc00::/7", "private", true),
		r("100.64.0.0/10", "shared by customers of a provider", true),
		r("198.18.0.0/15", "for measurements of networks", true),
		r("2001:2::/48", "for measurements of networks", true),
		r("169.254.0.0/16", "link-local", false),
		r("fe80::/10", "link-local", false),
		r("fec0::/10", "site-local", false),
		r("224.0.0.0/4", "multicast", false),
		r("ff00::/8", "multicast", false),
		r("240.0.0.0/4", "reserved", false),
		r("192.0.2.0/24", "for examples", false),
		r("198.51.100.0/24", "for examples", false),
		r("203.0.113.0/24", "for examples", false),
		r("2001:db8::/32", "for examples", false),
		r("3fff::/20", "for examples", false),
		r("100::/64", "discarded", false),
		r("64:ff9b:1::/48", "translated to IPv4 by this site", false),
		r("192.88.99.0/24", "reserved", false),
		r("2001:10::/28", "reserved", false),
		r("5f00::/16", "reserved", false),
		r("::/3", "reserved", false), // what is public begins with 2 or 3
		r("4000::/2", "reserved", false),
		r("8000::/1", "reserved", false),
	}
}

// embedding is a range of IPv6 addresses that hold an IPv4 address.
type embedding struct {
	network netip.Prefix
	at      int // byte at which it begins
	mask    byte
}

// embeddings returns how IPv4 hides in IPv6: what is behind is judged by that address.
func embeddings() []embedding {
	e := func(network string, at int, mask byte) embedding {
		return embedding{netip.MustParsePrefix(network), at, mask}
	}
	return []embedding{
		e("::/96", 12, 0),           // IPv4-compatible
		e("::ffff:0:0:0/96", 12, 0), // IPv4-translated
		e("64:ff9b::/96", 12, 0),    // NAT64
		e("2002::/16", 2, 0),        // 6to4
		e("2001::/32", 12, 0xff),    // Teredo, of which every bit is turned round
	}
}

// PrivateRanges returns what allowPrivate: true allows.
func PrivateRanges() (all []netip.Prefix) {
	for _, r := range refusedRanges() {
		if r.private {
			all = append(all, r.network)
		}
	}
	return all
}

// Permit returns why nothing is sent to an address, or nil. Only what is public is permitted, and what lies in an allowed network.
func Permit(address netip.Addr, allowed []netip.Prefix) error {
	judged, ranges := judged(address), refusedRanges()
	i := slices.IndexFunc(ranges, func(r refused) bool { return r.network.Contains(judged) })
	if i < 0 {
		return nil
	}
	names := func(n netip.Prefix) bool { // a larger network names no metadata
		return n.Contains(judged) && (ranges[i].private || n.Bits() >= ranges[i].network.Bits())
	}
	if !slices.ContainsFunc(allowed, names) {
		return fmt.Errorf("address %s is refused, because it is %s: name its network, %s or a part of it, in allowPrivate if it is to be reached",
			address, ranges[i].what, ranges[i].network)
	}
	return nil
}

// Over returns Permit for requests of a scheme. What is sent over http goes in clear, so there the address must lie in an allowed network, also if it is public.
func Over(scheme string, allowed []netip.Prefix) func(netip.Addr) error {
	return func(address netip.Addr) error {
		if err := Permit(address, allowed); err != nil {
			return err
		}
		if scheme == "http" && !in(address, allowed) {
			return fmt.Errorf("address %s is refused, because it is public and what is sent would go there in clear: want https://", address)
		}
		return nil
	}
}

// in reports whether an address lies in one of the networks.
func in(address netip.Addr, networks []netip.Prefix) bool {
	judged := judged(address)
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(judged) })
}

// judged returns what an address is judged by: the IPv4 address in it, if there is one.
func judged(address netip.Addr) netip.Addr {
	address = address.Unmap().WithZone("")
	if inside := embedded(address); inside.IsValid() {
		return inside
	}
	return address
}

// embedded returns the IPv4 address in one of IPv6, the zero value if there is none.
func embedded(address netip.Addr) netip.Addr {
	if !address.Is6() || address == netip.IPv6Unspecified() || address == netip.IPv6LinkLocalAllNodes() || address.IsLoopback() {
		return netip.Addr{}
	}
	bytes := address.As16()
	for _, e := range embeddings() {
		if e.network.Contains(address) {
			var four [4]byte
			for i := range four {
				four[i] = bytes[e.at+i] ^ e.mask
			}
			return netip.AddrFrom4(four)
		}
	}
	return netip.Addr{}
}
