package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// LoopbackOnly returns an error unless addr is a host:port address that only processes of this machine can reach: a host in
// 127.0.0.0/8, ::1 or localhost. An empty host means every interface and is refused. Names are not resolved.
func LoopbackOnly(addr string) error {
	host, err := splitAddress(addr)
	if err != nil {
		return err
	}
	if strings.EqualFold(host, "localhost") {
		return nil
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Unmap().IsLoopback() {
		return nil
	}
	return fmt.Errorf("%q can be reached from other machines, without authentication: "+
		"use a loopback address such as 127.0.0.1, [::1] or localhost", addr)
}
