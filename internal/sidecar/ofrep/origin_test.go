package ofrep_test

import (
	"io"
	"net"
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

// On an address that other machines know by other names no Host is asked for, but pages of other sites still tell nothing about usage. Programs, pages
// that may ask, and pages of the same host do.
func TestPagesOfOtherSitesTellNothing(t *testing.T) {
	t.Parallel()
	const page = "https://shop.example"
	f := func(address string, origins []string, want int, headers ...string) {
		t.Helper()
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		views := load(t, flags, "")
		recorder, adjust := withEvents(t, views)
		s := startOn(t, l, views, func(o *ofrep.Options) { adjust(o); o.Origins = origins })
		_, port, _ := net.SplitHostPort(s.addr)
		s.addr = net.JoinHostPort("127.0.0.1", port)
		for path, body := range map[string]string{
			"/v1/events": `{"event":"bought"}`, "//v1/events?a=b": `{"event":"bought"}`,
			"/v1/evaluations": `{"client":"c","evaluations":[{"flag":"on","reason":"STATIC","count":1}]}`,
		} {
			if r := s.do(http.MethodPost, path, body, headers...); r.status != want {
				t.Errorf("%s at %s, %q: status %d, %v, want %d", path, address, headers, r.status, r.body, want)
			}
		}
		if told := recorder.Waiting() > 0; told != (want == http.StatusAccepted) {
			t.Errorf("at %s, %q: events were taken: %v", address, headers, told)
		}
	}
	for _, address := range []string{"127.0.0.1:0", "0.0.0.0:0"} {
		f(address, nil, http.StatusForbidden, "Origin: https://evil.example", "Sec-Fetch-Site: cross-site", "Content-Type: text/plain")
		f(address, nil, http.StatusForbidden, "Origin: https://evil.example", "Content-Type: text/plain") // an older browser
		f(address, nil, http.StatusForbidden, "Origin: null", "Content-Type: application/x-www-form-urlencoded")
		f(address, nil, http.StatusForbidden, "Sec-Fetch-Site: cross-site")
		f(address, nil, http.StatusForbidden, "Sec-Fetch-Site: same-site")
		f(address, []string{page}, http.StatusForbidden, "Origin: https://evil.example", "Sec-Fetch-Site: cross-site")
		f(address, []string{page}, http.StatusAccepted, "Origin: "+page, "Sec-Fetch-Site: cross-site")
		f(address, []string{"*"}, http.StatusAccepted, "Origin: "+page, "Sec-Fetch-Site: cross-site")
		f(address, nil, http.StatusAccepted, "Sec-Fetch-Site: same-origin")
		f(address, nil, http.StatusAccepted)
	}
}
