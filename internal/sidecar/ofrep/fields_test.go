package ofrep

import (
	"bufio"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// What is found in one pass is what would be found by name: in any case, the first of two, also if that is empty, wherever they stand.
func TestFieldsAreThoseOfTheirNames(t *testing.T) {
	t.Parallel()
	names := []string{
		resolver.HeaderSelector, resolver.HeaderMinRevision, resolver.HeaderFreshness, resolver.HeaderPin, resolver.HeaderPinMode,
		resolver.HeaderApplication, fetchSite, fasthttp.HeaderOrigin,
	}
	for _, name := range names {
		for _, values := range [][]string{{}, {"a"}, {"a", "b"}, {"", "b"}, {"", ""}, {" \t", "b"}, {"a", ""}} {
			for before := range 9 {
				for _, spelled := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
					text := "POST / HTTP/1.1\r\nHost: localhost\r\n" + strings.Repeat("X-Other: 1\r\n", before)
					for _, value := range values {
						text += spelled + ":" + value + "\r\n"
					}
					var header fasthttp.RequestHeader
					if err := header.Read(bufio.NewReader(strings.NewReader(text + "\r\n"))); err != nil {
						t.Fatal(err)
					}
					f := fieldsOf(&header)
					if got, want := string(*f.of([]byte(name))), string(header.Peek(name)); got != want {
						t.Errorf("%d others, then %q: %q, want %q", before, text, got, want)
					}
				}
			}
		}
	}
}
