// Package origin decides which requests a port answers by what browsers say about them: the host that a page believes to talk to, and the
// site that the page comes from. A page that has rebound its own name to a loopback address names a foreign host, and a page of another site
// names that site. Clients that are no browsers send neither a foreign host nor a site.
//
// # Concurrency properties
//
// Policies never change and are safe for concurrent use.
package origin

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Any stands for every host, and for every origin.
const Any = "*"

// The sentences of refusals, for people.
const (
	// WrongHost is for HostAllowed.
	WrongHost = "this port answers requests to localhost and to loopback addresses, and the Host of this request is another one: " +
		"use http://localhost or http://127.0.0.1 with the port, or name the host with --allowed-host"
	// WrongSite is for SiteAllowed.
	WrongSite = "a page of another site may not ask here: ask from the application's own server, or from a page of an origin that is allowed"
)

// Policy says which hosts and sites the requests of a port may name. A nil Policy lets every host through, and no page of another site.
type Policy struct {
	hosts   []string
	origins []string
	// addresses lets every IP address through, as Host of a port that is not on loopback. A name can be rebound, an address cannot.
	addresses bool
}

// For returns the policy of a port that listens at an address: beside loopback names and addresses it answers requests to the hosts, and beside
// requests of no other site those of pages of the origins. It is nil, which means that no host is asked for, on Unix sockets, which no
// browser reaches, and without hosts on addresses that are not loopback, which other machines know by other names.
func For(listener net.Addr, hosts, origins []string) *Policy {
	tcp, ok := listener.(*net.TCPAddr)
	if !ok || !tcp.IP.IsLoopback() && len(hosts) == 0 {
		return nil
	}
	return &Policy{hosts: hosts, origins: origins, addresses: !tcp.IP.IsLoopback()}
}

// ForPages returns the policy that lets every host through, and of pages of other sites those of the origins.
func ForPages(origins []string) *Policy { return &Policy{hosts: []string{Any}, origins: origins} }

// Refusal returns the status and the sentence to refuse a request with that a browser sends for a page that may not ask, given its headers Host,
// Sec-Fetch-Site and Origin; the status is 0 if there is no reason to.
func Refusal[T string | []byte](p *Policy, host, site, origin T) (status int, sentence string) {
	switch {
	case !HostAllowed(p, host):
		return http.StatusMisdirectedRequest, WrongHost
	case !SiteAllowed(p, site, origin, host):
		return http.StatusForbidden, WrongSite
	default:
		return 0, ""
	}
}

// HostAllowed reports whether a request may name the host, with a port or without. It allocates nothing for the usual loopback names.
func HostAllowed[T string | []byte](p *Policy, host T) bool {
	if p == nil {
		return true
	}
	name, ok := withoutPort(host)
	if !ok {
		return false
	}
	if equalFold(name, "localhost") || string(name) == "127.0.0.1" || string(name) == "[::1]" {
		return true
	}
	for _, allowed := range p.hosts {
		if allowed == Any || equalFold(name, allowed) {
			return true
		}
	}
	address, err := netip.ParseAddr(strings.Trim(string(name), "[]"))
	return err == nil && address.Zone() == "" && (p.addresses || address.Unmap().IsLoopback())
}

// IsLoopback reports whether a host, with a port or without, is localhost or a loopback address.
func IsLoopback[T string | []byte](host T) bool { return HostAllowed(new(Policy), host) }

// SiteAllowed reports whether a request may come from where its headers Sec-Fetch-Site and Origin say, given its Host. Newer browsers send
// the first, all of them send an Origin with what is not a plain GET.
func SiteAllowed[T string | []byte](p *Policy, site, origin, host T) bool {
	switch string(site) {
	case "same-origin", "none":
		return true
	case "":
		if len(origin) == 0 || isOriginOf(origin, host) {
			return true
		}
	}
	if p == nil {
		return false
	}
	for _, allowed := range p.origins {
		if allowed == Any || string(origin) == allowed {
			return true
		}
	}
	return false
}

// isOriginOf reports whether an origin such as http://localhost:8016 is that of a host.
func isOriginOf[T string | []byte](origin, host T) bool {
	begin := len(origin) - len(host)
	return begin >= len("://") && string(origin[begin-len("://"):begin]) == "://" && string(origin[begin:]) == string(host)
}

// withoutPort returns a host without its port, and false if it is neither host nor host:port.
func withoutPort[T string | []byte](host T) (name T, ok bool) {
	end := len(host)
	for i := len(host) - 1; i >= 0; i-- {
		if c := host[i]; c == ':' {
			end = i
			break
		} else if c < '0' || c > '9' {
			break
		}
	}
	name = host[:end]
	if len(name) == 0 {
		return name, false
	}
	if name[0] == '[' {
		return name, name[len(name)-1] == ']'
	}
	for i := range len(name) {
		if name[i] == ':' {
			return name, false
		}
	}
	return name, true
}

// equalFold compares without the case of ASCII letters.
func equalFold[T string | []byte](a T, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(b) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// ValidateHosts returns why a host can never be in a request, nil if each can. A host is a name or an address without a port, or Any.
func ValidateHosts(hosts []string) error {
	for _, host := range hosts {
		name, ok := withoutPort(host)
		if host != Any && (!ok || len(name) != len(host) || strings.ContainsAny(host, "/ *@?#")) {
			return &net.AddrError{Err: "want the name or the address of a host without scheme and port, or * for all", Addr: host}
		}
	}
	return nil
}
