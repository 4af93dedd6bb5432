package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/flagside/flagside/internal/process"
)

// withGate is what the sidecar is started with so that a proxy can ask it, at an address.
func withGate(address string) []string {
	return []string{"--gate-addr", address, "--gate-flags", "/=new-checkout,checkout-ab", "--gate-context-from-header", "X-User=targetingKey"}
}

// proxy is an application that does not know of flags, behind a proxy that asks for it.
func (w *walker) proxy(ctx context.Context) error {
	w.say("## An application that knows no flags\n\nThe shop's oldest application has no SDK. The proxy in front of it asks the sidecar's gate about each request, and passes the variants on as\n" +
		"header fields. The sidecar runs with `--gate-addr 127.0.0.1:8018 --gate-flags /=new-checkout,checkout-ab --gate-context-from-header X-User=targetingKey`. What a\n" +
		"visitor sends under such a name never arrives: the answer replaces it, or names it for removal.")
	w.steps++
	var header http.Header
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := process.Await(within, "the gate's answer", func() bool {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.gate+"/v1/gate/cart", nil)
		if err != nil {
			return false
		}
		request.Header.Set("X-User", "u1")
		request.Header.Set("X-Flag-New-Checkout", "new")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		header = response.Header
		return response.StatusCode == http.StatusOK && header.Get("X-Flag-New-Checkout") == "old" && header.Get("X-Flag-Checkout-Ab") == "classic"
	})
	if err != nil {
		return fmt.Errorf("%w: %v", err, header)
	}
	w.Add("```console\nproxy$ curl -si -H 'X-User: u1' -H 'X-Flag-New-Checkout: new' localhost:8018/v1/gate/cart\nHTTP/1.1 200 OK\n")
	for _, name := range []string{"X-Flag-New-Checkout", "X-Flag-Checkout-Ab", "X-Flags", "Cache-Control"} {
		w.Add("%s: %s\n", name, header.Get(name))
	}
	w.Add("…\n```\n\n")
	w.say("[gateway.md](gateway.md) has the configuration of nginx, HAProxy, Caddy, Envoy and others.")
	return nil
}
