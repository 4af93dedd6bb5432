package config

import (
	"strings"
	"testing"
)

func TestLoopbackOnly(t *testing.T) {
	t.Parallel()
	accepted := []string{
		"127.0.0.1:8016", "127.255.255.254:0", "[::1]:8016", "localhost:8016", "LocalHost:1", "[::ffff:127.0.0.1]:80",
	}
	for _, addr := range accepted {
		if err := LoopbackOnly(addr); err != nil {
			t.Errorf("%s was refused: %v", addr, err)
		}
	}
	refused := map[string]string{
		":8016":                    "can be reached from other machines",
		"0.0.0.0:8016":             "can be reached from other machines",
		"[::]:8016":                "can be reached from other machines",
		"10.0.0.1:8016":            "can be reached from other machines",
		"128.0.0.1:8016":           "can be reached from other machines",
		"localhost.example.com:80": "can be reached from other machines",
		"127.0.0.1.example:80":     "can be reached from other machines",
		"0177.0.0.1:80":            "can be reached from other machines",
		"127.0.0.1":                "is not an address",
		"::1:8016":                 "is not an address",
		"127.0.0.1:http":           "is not a number",
		"":                         "is not an address",
	}
	for addr, want := range refused {
		if err := LoopbackOnly(addr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want one that says it %s", addr, err, want)
		}
	}
}
