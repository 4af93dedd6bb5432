package gate_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/sidecar/gate"
)

const removed = "X-Envoy-Auth-Headers-To-Remove"

// fields returns the fields of an answer that are about flags.
func fields(h http.Header) map[string]string {
	found := make(map[string]string)
	for name := range h {
		if strings.HasPrefix(name, "X-") {
			found[name] = strings.Join(h[name], "|")
		}
	}
	return found
}

// Each proxy has its own way to say what the visitor asked for, and any method.
func TestWhatProxiesSend(t *testing.T) {
	t.Parallel()
	s := start(t, load(t, flags), gate.Options{
		Flags:   map[string]string{"/shop": "new-checkout", "/": "where"},
		Headers: map[string]string{"X-Plan": "plan"}, Cookies: map[string]string{"city": "city"}, Queries: map[string]string{"plan": "other", "c": "town"},
	})
	on := map[string]string{"X-Flag-New-Checkout": "on", "X-Flags": "new-checkout=on", removed: "x-flag-where"}
	off := map[string]string{"X-Flag-New-Checkout": "off", "X-Flags": "new-checkout=off", removed: "x-flag-where"}
	here := map[string]string{"X-Flag-Where": "here", "X-Flags": "where=here", removed: "x-flag-new-checkout"}
	there := map[string]string{"X-Flag-Where": "there", "X-Flags": "where=there", removed: "x-flag-new-checkout"}
	for _, test := range []struct {
		name, method, target, lines string
		want                        map[string]string
	}{
		{"Envoy", "PUT", gate.Path + "/shop/cart?x=1", "X-Plan: gold\r\nContent-Length: 0\r\n", on},
		{"Envoy, without a prefix", "GET", "/shop", "x-plan: gold\r\n", on},
		{"nginx", "GET", gate.Path, "X-Forwarded-Uri: /shop/cart?x=1\r\nX-Forwarded-Method: POST\r\nX-Plan: gold\r\n", on},
		{"Traefik", "GET", gate.Path, "User-Agent: Go-http-client/1.1\r\nX-Plan: gold\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Host: shop.example\r\n" +
			"X-Forwarded-Method: POST\r\nX-Forwarded-Port: 443\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Uri: /shop/cart?x=1\r\nX-Forwarded-Server: t1\r\nAccept-Encoding: gzip\r\n", on},
		{"Traefik, any method", "PURGE", gate.Path, "X-Forwarded-Uri: /shop\r\n", off},
		{"HEAD", "HEAD", gate.Path + "/shop/", "X-Plan: silver\r\n", off},
		{"another path", "GET", gate.Path + "/shopping", "Cookie: a=b; city=K\u00f6ln\r\n", here},
		{"escaped path", "GET", gate.Path + "/%73hop/../shop", "X-Plan: gold\r\n", on},
		{"a query is none of the headers", "GET", gate.Path + "/?city=K%C3%B6ln&plan=gold", "", there},
		{"no path", "GET", gate.Path, "", there},
		{"Caddy, which leaves the query", "GET", gate.Path + "?x=1", "X-Forwarded-Uri: /shop?x=1\r\nX-Plan: gold\r\n", on},
		{"absolute form", "GET", "http://shop.example/shop", "X-Plan: gold\r\n", on},
		{"a field that Envoy's path goes before", "GET", gate.Path + "/shop", "X-Forwarded-Uri: /other\r\nX-Plan: gold\r\n", on},
	} {
		answer := s.send(test.method, test.method+" "+test.target+" HTTP/1.1\r\nHost: shop.example\r\n"+test.lines+"\r\n")
		if diff := cmp.Diff(test.want, fields(answer)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		if got := answer.Get("Cache-Control"); got != "private, max-age=1" {
			t.Errorf("%s: Cache-Control %q", test.name, got)
		}
	}
}

// What a visitor sends in the name of a flag is taken away, and what has no value too.
func TestFieldsOfVisitorsAreRemoved(t *testing.T) {
	t.Parallel()
	s := start(t, load(t, flags), gate.Options{
		Flags: map[string]string{"/": "new-checkout,code,off,broken,missing"}, Headers: map[string]string{"X-Plan": "plan"},
	})
	got := fields(s.ask("/", "X-Plan: silver", "X-Flag-New-Checkout: on", "x-FLAG-anything: on", "X-Flags: new-checkout=on", "X-Flag-Bad_Name: 1", "X_Flag_Code: on", "X-Flag-"+strings.Repeat("a", 500)+": 1"))
	want := map[string]string{
		"X-Flag-New-Checkout": "off", "X-Flags": "new-checkout=off",
		removed: "x-flag-broken, x-flag-code, x-flag-missing, x-flag-off, x-flag-anything, x-flag-bad_name, x_flag_code",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	flood := []string{"X-Flag-Code: on"}
	for i := range 500 {
		flood = append(flood, fmt.Sprintf("X-Flag-Made-Up-%d: on", i))
	}
	if all := s.ask("/", flood...).Get(removed); !strings.HasPrefix(all, "x-flag-code, x-flag-missing, x-flag-off, ") || len(all) > 1000 {
		t.Errorf("after many made-up fields are removed: %.300s (%d bytes)", all, len(all))
	}
	malformed := map[string]string{removed: "x-flag-broken, x-flag-code, x-flag-missing, x-flag-new-checkout, x-flag-off, x-flags"}
	if diff := cmp.Diff(malformed, fields(s.ask("/", "X-Flag-Code: on", "x-flag-\x7f: 1"))); diff != "" {
		t.Errorf("malformed (-want +got):\n%s", diff)
	}
	if got := s.ask("/", "X-Large: "+strings.Repeat("x", 60_000)).Get("X-Flags"); got == "" {
		t.Error("a large header makes flags go")
	}
	none := start(t, load(t, ""), gate.Options{Flags: map[string]string{"/": "new-checkout"}})
	if diff := cmp.Diff(map[string]string{removed: "x-flag-new-checkout, x-flags"}, fields(none.ask("/"))); diff != "" {
		t.Errorf("without flags (-want +got):\n%s", diff)
	}
}

// Headers by which applications demand things of a sidecar mean nothing from a visitor.
func TestVisitorsDemandNothing(t *testing.T) {
	t.Parallel()
	s := start(t, load(t, flags), gate.Options{Flags: map[string]string{"/": "new-checkout"}})
	for _, line := range []string{
		"Flagside-Min-Revision: 00000000-99999", "Flagside-Pin-Revision: 00000000-1", "Flagside-Pin-Mode: strict", "Flagd-Selector: flagSetId=other",
		"Flagside-Freshness: always_fresh", "Baggage: flagside-pin-revision=00000000-1", "Flagside-Application: other",
		"Origin: https://evil.example", "Authorization: Bearer x", "Content-Encoding: gzip", "Sec-Fetch-Site: cross-site",
	} {
		if got := s.ask("/", line).Get("X-Flags"); got != "new-checkout=off" {
			t.Errorf("%s: %q", line, got)
		}
	}
	for series := range s.counts.Collect().Evaluations {
		if series.Application != "" {
			t.Errorf("counted for %q", series.Application)
		}
	}
}

// Names and values are bounded, and cannot end a field.
func TestNamesAndValues(t *testing.T) {
	t.Parallel()
	s := start(t, load(t, flags), gate.Options{Flags: map[string]string{"/": "Color.Of Day"}})
	want := map[string]string{"X-Flag-Color-Of-Day": "blue%2C%20or%0D%0Ax-evil%3A%201", "X-Flags": "color-of-day=blue%2C%20or%0D%0Ax-evil%3A%201"}
	if diff := cmp.Diff(want, fields(s.ask("/"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for key, want := range map[string]string{"a/b": "x-flag-a-b", "Ä": "x-flag---", "": "x-flag-", strings.Repeat("k", 200): "x-flag-" + strings.Repeat("k", 121)} {
		if got := gate.HeaderName(key); got != want {
			t.Errorf("%.20q: %q, want %q", key, got, want)
		}
	}
}

// All flags with a tag are evaluated, and two that would have the same field are one.
func TestFlagsWithATag(t *testing.T) {
	t.Parallel()
	s := start(t, load(t, flags), gate.Options{Tag: "gate", Headers: map[string]string{"X-Plan": "plan"}, MaxAge: time.Millisecond})
	h := s.ask("/any", "X-Plan: gold")
	if diff := cmp.Diff(map[string]string{"X-Flag-New-Checkout": "on", "X-Flags": "new-checkout=on", removed: "x-flag-code"}, fields(h)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := h.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q", got)
	}
}

// longNames returns the keys of 25 flags with long keys.
func longNames(from int) string {
	var keys []string
	for i := range 25 {
		keys = append(keys, fmt.Sprintf("a-flag-with-a-key-of-fifty-bytes-or-a-little-more-%d", from+i))
	}
	return strings.Join(keys, ",")
}

func TestOptionsAreValidated(t *testing.T) {
	t.Parallel()
	some := map[string]string{"/": "a"}
	for want, o := range map[string]gate.Options{
		"has no flags":               {},
		"do not go together":         {Flags: some, Tag: "t"},
		"must begin with a slash":    {Flags: map[string]string{"shop": "a"}},
		"at most 2048 are allowed":   {Flags: map[string]string{"/": longNames(0), "/more": longNames(25)}},
		"at most 50 are allowed":     {Flags: map[string]string{"/": strings.Repeat("a,", 50) + "a"}},
		"without a key":              {Flags: map[string]string{"/": ""}},
		`"a_b" and "a.b" would have`: {Flags: map[string]string{"/": "a_b,a.b"}},
		"taken from two places":      {Flags: some, Headers: map[string]string{"X": "a"}, Cookies: map[string]string{"y": "a"}},
		"name of a flag's header":    {Flags: some, Headers: map[string]string{"X-Flag-A": "a"}},
		"$flagd":                     {Flags: some, Queries: map[string]string{"q": "$flagd"}},
		"lacks a name":               {Flags: some, Queries: map[string]string{"": "a"}},
		"is no name for a cookie":    {Flags: some, VisitorKeyFile: "f", Cookie: "a b"},
		"attribute of the context":   {Flags: some, VisitorKeyFile: "f", Cookie: "c", Cookies: map[string]string{"c": "a"}},
	} {
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
