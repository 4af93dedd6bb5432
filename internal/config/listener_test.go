package config

import (
	"strings"
	"testing"
)

func TestListener(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"127.0.0.1:8013": "127.0.0.1:8013", "unix:/run/x.sock": "unix:/run/x.sock", "off": "off", "": "off",
		"127.0.0.1:8016,unix:/run/x.sock": "127.0.0.1:8016,unix:/run/x.sock",
	} {
		got := ""
		if err := (listenerValue{stringValue{&got}}).set([]string{given}); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", given, got, err, want)
		}
	}
	for given, want := range map[string]string{"unix:": "needs the path", "nowhere": "neither unix:path nor off", "127.0.0.1:1,off": "beside", "127.0.0.1:1,": "neither"} {
		got := "before"
		if err := (listenerValue{stringValue{&got}}).set([]string{given}); err == nil || !strings.Contains(err.Error(), want) || got != "before" {
			t.Errorf("%q: %q, %v", given, got, err)
		}
	}
}

// Given several times, all addresses count; off takes back what came before.
func TestListenerRepeated(t *testing.T) {
	t.Parallel()
	for want, given := range map[string][]string{
		"127.0.0.1:8016,unix:/run/x.sock": {"127.0.0.1:8016", "unix:/run/x.sock"},
		"off":                             {"127.0.0.1:8016", "off"},
		"127.0.0.1:8016":                  {"off", "127.0.0.1:8016"},
		"127.0.0.1:8017":                  {"127.0.0.1:8016", "off", "127.0.0.1:8017"},
	} {
		got := ""
		if err := (listenerValue{stringValue{&got}}).set(given); err != nil || got != want {
			t.Errorf("%v: %q, %v; want %q", given, got, err, want)
		}
	}
}
