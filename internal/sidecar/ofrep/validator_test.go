package ofrep_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/sidecar/ofrep"
)

// head is what comes before the body of an answer.
type head struct {
	StatusCode int
	Header     http.Header
}

// ask sends a request with a header and returns the answer and its body.
func ask(t testing.TB, s *system, method, path, body string, header http.Header) (head, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.addr+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return head{StatusCode: response.StatusCode, Header: response.Header}, string(answer)
}

const bulkPath = "/ofrep/v1/evaluate/flags"

func TestValidatorForms(t *testing.T) {
	s := start(t, load(t, flags, ""), nil)
	first, _ := ask(t, s, http.MethodPost, bulkPath, `{"context":{"plan":"gold"}}`, nil)
	tag := first.Header.Get("ETag")
	if len(tag) < 3 || tag[0] != '"' {
		t.Fatalf("ETag %q", tag)
	}
	bare := strings.Trim(tag, `"`)
	for _, c := range []struct {
		name, query, body, given string
		status                   int
	}{
		{"strong", "", `{"context":{"plan":"gold"}}`, tag, 304},
		{"weak", "", `{"context":{"plan":"gold"}}`, "W/" + tag, 304},
		{"bare", "", `{"context":{"plan":"gold"}}`, bare, 304},
		{"list", "", `{"context":{"plan":"gold"}}`, `"other", ` + tag, 304},
		{"asterisk", "", `{"context":{"plan":"gold"}}`, "*", 200},
		{"other", "", `{"context":{"plan":"gold"}}`, `"other"`, 200},
		{"empty", "", `{"context":{"plan":"gold"}}`, `""`, 200},
		{"other context", "", `{"context":{"plan":"free"}}`, tag, 200},
		{"told of another revision", "?flagConfigEtag=00000000-99", `{"context":{"plan":"gold"}}`, tag, 200},
		{"a hint is no validator", "?flagConfigEtag=" + bare + "&flagConfigLastModified=1", `{"context":{"plan":"gold"}}`, "", 200},
	} {
		header := http.Header{}
		if c.given != "" {
			header.Set("If-None-Match", c.given)
		}
		response, body := ask(t, s, http.MethodPost, bulkPath+c.query, c.body, header)
		if response.StatusCode != c.status || (body == "") != (c.status == 304) {
			t.Errorf("%s: %d with %d bytes, want %d", c.name, response.StatusCode, len(body), c.status)
		}
	}
}

func TestPages(t *testing.T) {
	const page = "http://shop.example:8080"
	s := start(t, load(t, flags, ""), func(o *ofrep.Options) { o.Origins, o.ContextHeaders = []string{page}, []string{"X-Tenant"} })
	preflight := http.Header{"Origin": {page}, "Access-Control-Request-Method": {"POST"}}
	response, _ := ask(t, s, http.MethodOptions, bulkPath, "", preflight)
	if response.StatusCode != 204 || response.Header.Get("Access-Control-Allow-Origin") != page ||
		!strings.Contains(response.Header.Get("Access-Control-Allow-Headers"), "If-None-Match") {
		t.Errorf("preflight: %d, %v", response.StatusCode, response.Header)
	}
	allowed := ", " + response.Header.Get("Access-Control-Allow-Headers") + ","
	for _, field := range []string{"traceparent", "tracestate", "baggage", "X-Tenant"} {
		if !strings.Contains(allowed, ", "+field+",") {
			t.Errorf("pages may not send %s: %s", field, allowed)
		}
	}
	for _, path := range []string{bulkPath, bulkPath + "/none", "/nowhere"} {
		response, _ = ask(t, s, http.MethodPost, path, "{}", http.Header{"Origin": {page}})
		if response.Header.Get("Access-Control-Allow-Origin") != page || response.Header.Get("Access-Control-Expose-Headers") == "" {
			t.Errorf("%s: %v", path, response.Header)
		}
	}
	preflight.Set("Origin", "http://other.example")
	response, _ = ask(t, s, http.MethodOptions, bulkPath, "", preflight)
	if response.StatusCode != 403 || response.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("another origin: %d, %v", response.StatusCode, response.Header)
	}
	for _, origin := range []string{"shop.example", "http://shop.example/", "", "http://"} {
		if ofrep.ValidateOrigins([]string{origin}) == nil {
			t.Errorf("%q is taken for an origin", origin)
		}
	}
}
