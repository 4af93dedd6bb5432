package sidecar

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBoundsOfRequestsAreChecked(t *testing.T) {
	for want, o := range map[string]Options{
		"--max-evaluation-work: 999 nodes for one evaluation: want 1000 to 1000000000": {MaxEvaluationWork: 999},
		"--max-evaluation-work: -1 nodes":                                              {MaxEvaluationWork: -1},
		"--exposure-sample 1.5: want":                                                  {ExposureSample: 1.5},
		"--event-rate 100001: want 1 to 100000":                                        {EventRate: 100_001},
		"--event-rate -1: want":                                                        {EventRate: -1},
		"--exposure-sample -1: want":                                                   {ExposureSample: -1},
		"--request-timeout cannot be negative":                                         {RequestTimeout: -time.Second},
	} {
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestCredentialsStandForOptions(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	type files struct{ NKey, Credentials, CA, Trust string }
	f := func(o, want files) {
		t.Helper()
		got := Options{Credentials: dir, NATSNKey: o.NKey, NATSCredentials: o.Credentials, NATSCA: o.CA, TrustFile: o.Trust}.withCredentials()
		if diff := cmp.Diff(want, files{got.NATSNKey, got.NATSCredentials, got.NATSCA, got.TrustFile}); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", o, diff)
		}
	}
	f(files{}, files{NKey: in("nats.nkey"), Trust: in("trust")})
	if err := os.WriteFile(in("ca.pem"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f(files{}, files{NKey: in("nats.nkey"), CA: in("ca.pem"), Trust: in("trust")})
	f(files{NKey: "n", CA: "c", Trust: "t"}, files{NKey: "n", CA: "c", Trust: "t"})
	f(files{Credentials: "jwt"}, files{Credentials: "jwt", CA: in("ca.pem"), Trust: in("trust")})
	if got := (Options{Credentials: dir}).withCredentials().ExposureKeyFile; got != "" {
		t.Errorf("a key for exposures of %s, which is not there", got)
	}
	if err := os.WriteFile(in("exposure.key"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := (Options{Credentials: dir}).withCredentials().ExposureKeyFile; got != in("exposure.key") {
		t.Errorf("a key for exposures of %q", got)
	}
	if got := (Options{Credentials: dir, ExposureKeyFile: "k"}).withCredentials().ExposureKeyFile; got != "k" {
		t.Errorf("a key for exposures of %q", got)
	}
	if got := (Options{NATSNKey: "n"}).withCredentials(); got.TrustFile != "" || got.NATSNKey != "n" {
		t.Errorf("without a directory: %+v", got)
	}

	// The environment is the user name only where nothing else says who it is.
	for want, o := range map[string]Options{
		"prod": {Environment: "prod"}, "": {Environment: "prod", NATSNKey: "n"},
	} {
		if got := o.connection(nil).User; got != want {
			t.Errorf("user %q, want %q", got, want)
		}
	}
	if got := (Options{Environment: "prod", NATSCredentials: "jwt"}).connection(nil).User; got != "" {
		t.Errorf("user %q beside credentials", got)
	}
	if got := (Options{Environment: "prod", Credentials: dir}).connection(nil); got.User != "" || got.CA != in("ca.pem") || got.NKey != in("nats.nkey") {
		t.Errorf("of a directory: %+v", got)
	}
}
