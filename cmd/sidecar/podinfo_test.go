package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/sidecar/resolver"
)

func TestContextOptions(t *testing.T) {
	var s given
	env := map[string]string{
		"FLAGSIDE_ENVIRONMENT": "prod", "FLAGSIDE_POD": "shop-7", "FLAGSIDE_NAMESPACE": "shop", "FLAGSIDE_ZONE": "eu-1a",
		"FLAGSIDE_CONTEXT_FROM_HEADER": "X-User=targetingKey, X-Tier=tier",
	}
	lookup := func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}
	if _, err := options(&s).Parse([]string{"--context", "regions=eu,us", "-X", "zone=other"}, lookup); err != nil {
		t.Fatal(err)
	}
	got := resolver.Enrichment{Static: s.place.addTo(s.sidecar.Context.Static), Headers: s.sidecar.Context.Headers}
	want := resolver.Enrichment{
		Static:  map[string]string{"regions": "eu,us", "zone": "other", "pod": "shop-7", "namespace": "shop"},
		Headers: map[string]string{"X-User": "targetingKey", "X-Tier": "tier"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
