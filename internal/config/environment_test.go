package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUnknown(t *testing.T) {
	t.Parallel()
	var text string
	var secret Secret
	serve, list := NewSet("program serve", "Serves."), NewSet("program list", "Lists.")
	serve.String(&text, "data-dir", "", "directory")
	list.Secret(&secret, "token", "who you are")
	environ := []string{
		"FLAGSIDE_DATA_DIR=x", "FLAGSIDE_TOKEN=x", "FLAGSIDE_TOKEN_FILE=x", "FLAGSIDE_CONFIG=x", "PATH=x", // known, or none of ours
		"FLAGSIDE_DATADIR=x", "FLAGSIDE_TOKNE=x", "FLAGSIDE_COLOUR=x",
		"FLAGSIDE_PUBLISHER_SERVICE_HOST=x", "FLAGSIDE_PUBLISHER_SERVICE_PORT_ADMIN=x", "FLAGSIDE_PORT=tcp://x", "FLAGSIDE_PORT_8017_TCP_ADDR=x",
	}
	typos := []string{
		"environment variable FLAGSIDE_DATADIR is no option and is ignored: did you mean FLAGSIDE_DATA_DIR?",
		"environment variable FLAGSIDE_TOKNE is no option and is ignored: did you mean FLAGSIDE_TOKEN?",
	}
	if diff := cmp.Diff(typos, Unknown(environ, true, serve, list)); diff != "" {
		t.Errorf("near ones (-want +got):\n%s", diff)
	}
	all := append([]string{"environment variable FLAGSIDE_COLOUR is no option and is ignored"}, typos...)
	if diff := cmp.Diff(all, Unknown(environ, false, serve, list)); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	lookup := Lookup([]string{"A=1=2", "B="})
	for name, want := range map[string]string{"A": "1=2", "B": ""} {
		if got, ok := lookup(name); !ok || got != want {
			t.Errorf("%s is %q, %t", name, got, ok)
		}
	}
	if got, ok := lookup("C"); ok {
		t.Errorf("C is %q", got)
	}
}
