package ofrep_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/sidecar/ofrep"
)

// A page that has rebound its name to loopback, and a page of another site, get no answer; programs, and pages that may ask, do.
func TestBrowsersAreAnsweredForPagesThatMayAsk(t *testing.T) {
	t.Parallel()
	const page = "https://shop.example"
	s := startStreams(t, load(t, flags, ""), 4, func(o *ofrep.Options) {
		o.Origins, o.Hosts = []string{page}, []string{"flags.shop"}
	})
	f := func(want int, details string, headers ...string) {
		t.Helper()
		for _, target := range []struct{ method, path string }{{"POST", single + "on"}, {"POST", bulkPath}, {"GET", "/ofrep/v1/sse"}, {"GET", "/nowhere"}} {
			if want == http.StatusOK && target.method == "GET" {
				continue // a stream that is let through does not end
			}
			request, err := http.NewRequestWithContext(t.Context(), target.method, "http://"+s.addr+target.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(headers); i += 2 {
				request.Header.Set(headers[i], headers[i+1])
			}
			if host := request.Header.Get("Host"); host != "" {
				request.Host = host
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(response.Body)
			response.Body.Close()
			body := string(content)
			if err != nil || response.StatusCode != want || !strings.Contains(body, details) {
				t.Errorf("%s with %q: %d, %s, want %d with %q", target.path, headers, response.StatusCode, body, want, details)
			}
			if want != http.StatusOK && response.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s with %q: the refusal may be read by the page", target.path, headers)
			}
		}
	}
	for _, host := range []string{"localhost", "localhost:1", "127.0.0.1", "[::1]:8016", "flags.shop", "FLAGS.SHOP:8016"} {
		f(http.StatusOK, "", "Host", host)
	}
	for _, host := range []string{"rebound.example", "rebound.example:8016", "192.168.1.2", "0.0.0.0:8016"} {
		f(http.StatusMisdirectedRequest, "--allowed-host", "Host", host)
		f(http.StatusMisdirectedRequest, "--allowed-host", "Host", host, "Origin", page)
	}
	f(http.StatusOK, "", "Origin", page, "Sec-Fetch-Site", "cross-site")
	f(http.StatusOK, "", "Origin", "http://"+s.addr, "Sec-Fetch-Site", "same-origin")
	f(http.StatusForbidden, "--cors-origin", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
	f(http.StatusForbidden, "--cors-origin", "Sec-Fetch-Site", "cross-site")
	f(http.StatusForbidden, "--cors-origin", "Origin", "null")
}
