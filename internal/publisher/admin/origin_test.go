package admin_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/flagside/flagside/internal/origin"
	"github.com/flagside/flagside/internal/publisher/admin"
)

func TestCheckOrigin(t *testing.T) {
	t.Parallel()
	guarded := admin.CheckOrigin(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }), origin.For(&net.TCPAddr{IP: net.IPv6loopback}, nil, nil))
	f := func(method, host string, want int, headers ...string) {
		t.Helper()
		request := httptest.NewRequestWithContext(t.Context(), method, "/", nil)
		request.Host = host
		for i := 0; i < len(headers); i += 2 {
			request.Header.Set(headers[i], headers[i+1])
		}
		recorder := httptest.NewRecorder()
		guarded.ServeHTTP(recorder, request)
		if recorder.Code != want {
			t.Errorf("%s to %q with %q: %d, want %d", method, host, headers, recorder.Code, want)
		}
		if want != http.StatusNoContent && recorder.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s to %q: the refusal is %s, no problem", method, host, recorder.Header().Get("Content-Type"))
		}
	}
	const let = http.StatusNoContent
	for _, host := range []string{"localhost", "LOCALHOST:8017", "127.0.0.1", "127.0.0.1:8017", "127.8.9.1:1", "[::1]", "[::1]:8017"} {
		f(http.MethodGet, host, let)
		f(http.MethodPut, host, let)
		f(http.MethodPut, host, let, "Sec-Fetch-Site", "same-origin")
		f(http.MethodPut, host, let, "Origin", "http://"+host)
		f(http.MethodPut, host, http.StatusForbidden, "Sec-Fetch-Site", "cross-site")
		f(http.MethodPut, host, http.StatusForbidden, "Sec-Fetch-Site", "same-site")
		f(http.MethodPost, host, http.StatusForbidden, "Origin", "https://evil.example")
		f(http.MethodDelete, host, http.StatusForbidden, "Origin", "null")
	}
	for _, host := range []string{
		"", "evil.example", "evil.example:8017", "localhost.evil.example", "127.0.0.1.evil.example", "192.168.1.2", "0.0.0.0", "[::]", "::",
		"[fe80::1]:8017", "localhost:8017:1", "[localhost", "127.0.0.1%00",
	} {
		f(http.MethodGet, host, http.StatusMisdirectedRequest)
		f(http.MethodPut, host, http.StatusMisdirectedRequest)
	}
}
