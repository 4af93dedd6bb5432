package session

import (
	"net/url"
	"strings"
	"testing"
)

// A person is sent back to pages of the console only.
func TestLocalPath(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"/console/", "/console/flags/a", "/console/flags?environment=prod&q=a%2Fb", "/console/x#part", "/console/flags/a%20b/"} {
		if got := localPath(good); got != good {
			t.Errorf("%q becomes %q", good, got)
		}
	}
	for _, bad := range []string{
		"", "/", "//evil.example", "//evil.example/console/", "https://evil.example/console/", "http:/console/", "javascript:alert(1)", "/console", "/consoleevil/",
		"/console/../api/v1/x", "/console/%2e%2e/x", "/console/..", `/console/\evil.example`, `\\evil.example\console\`, "/console//evil.example", "/\t/evil.example",
		"/console/\r\nSet-Cookie: a=b", "console/", "?x", "#x", "/%2fevil.example/console/", "/console/%5cevil", "/console/session", "/console/sign-in?to=/console/sign-in",
		"/console/callback?code=1", "/console/enter?code=1", "/console/\x00", "/console/ü", "/api/v1/flags", "/%63onsole/x", "/console/" + strings.Repeat("a", 2000),
		"///console/", "@evil.example/console/", "/console/%2f%2fevil.example",
	} {
		if got := localPath(bad); got != Home {
			t.Errorf("%q becomes %q", bad, got)
		}
	}
}

func FuzzLocalPath(f *testing.F) {
	for _, seed := range []string{"/console/", "//evil.example", `/console/\x`, "/console/%2e%2e/", "https://evil.example"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, asked string) {
		got := localPath(asked)
		here, err := url.Parse("https://flags.example/console/callback")
		if err != nil {
			t.Fatal(err)
		}
		to, err := here.Parse(got)
		if err != nil || to.Host != here.Host || to.Scheme != here.Scheme || !strings.HasPrefix(to.EscapedPath(), Home) || strings.ContainsAny(got, "\\\r\n\t ") {
			t.Errorf("%q leads to %v, %v", asked, to, err)
		}
	})
}

func FuzzCredential(f *testing.F) {
	f.Add(newCredential().String())
	f.Add("a.b")
	f.Add("")
	f.Fuzz(func(t *testing.T, value string) {
		if c, ok := parseCredential(value); ok && (c.String() != value || !isID(c.id)) {
			t.Errorf("%q is read as %q", value, c)
		}
	})
}

func FuzzStep(f *testing.F) {
	f.Add(step{State: "a", To: "/console/"}.encode())
	f.Add("x")
	f.Fuzz(func(t *testing.T, value string) {
		if s := decodeStep(value); s != (step{}) && !decodeStep(s.encode()).same(s) {
			t.Errorf("%q is read as %+v", value, s)
		}
	})
}

func (s step) same(o step) bool {
	return s.secrets() == o.secrets() && s.To == o.To && s.Expires.Equal(o.Expires)
}
