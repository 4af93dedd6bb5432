package cli

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
)

// What is told of the variables is theirs, and no secret.
func TestDoctorTellsNoSecrets(t *testing.T) {
	t.Parallel()
	c := newCheckup([]string{
		"HOME=/root", "FLAGSIDE_TOKEN=fls_secret", "FLAGSIDE_NATS_PASSWORD=hunter2", "FLAGSIDE_TOKEN_FILE=/run/token",
		"FLAGSIDE_NATS=nats://user:hunter2@nats-1:4222,nats://token@nats-2:4222", "FLAGSIDE_ENVIRONMENT=prod", "FLAGSIDE_SIGNING_KEY=PRIVATE+KEY",
	})
	want := map[string]string{
		"FLAGSIDE_TOKEN": "***", "FLAGSIDE_NATS_PASSWORD": "***", "FLAGSIDE_TOKEN_FILE": "/run/token", "FLAGSIDE_SIGNING_KEY": "***",
		"FLAGSIDE_NATS": "nats://%2A%2A%2A@nats-1:4222,nats://%2A%2A%2A@nats-2:4222", "FLAGSIDE_ENVIRONMENT": "prod",
	}
	if diff := cmp.Diff(want, c.Environment); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What looks wrong comes first, in sentences.
func TestDoctorSaysWhatLooksWrong(t *testing.T) {
	t.Parallel()
	f := func(found string, want ...string) {
		t.Helper()
		var c checkup
		if err := json.Unmarshal([]byte(found), &c); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, findings(c)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", found, diff)
		}
		var text strings.Builder
		if err := diagnosis(&text, c); err != nil || !strings.Contains(text.String(), "# publisher at ") {
			t.Errorf("%v: %s", err, text.String())
		}
	}
	f(`{"publisher":{"address":"a","ready":true,"clockSeconds":-1,"status":{"conditions":null}},
		"sidecar":{"address":"b","ready":true,"status":{"problemCount":0}}}`)
	f(`{"publisher":{"address":"a","ready":true,"identity":{"error":"no token"},
		"status":{"conditions":[{"code":"root-key-online","severity":"info","since":"2030-01-01T00:00:00Z","sentence":"Move it."}]}}}`,
		"the publisher tells you nothing of environments: no token")
	f(`{"publisher":{"address":"a","unreachable":"connection refused"}}`, "the publisher at a cannot be reached: connection refused")
	f(`{"publisher":{"address":"a","ready":false,"notReady":"not ready: prod is read","clockSeconds":90,"statusError":"401 who are you",
		"environments":{"items":[{"name":"prod","writesRefused":"the log is gone"},{"name":"test"}]}}}`,
		"the publisher does not tell its state: 401 who are you", "the publisher is not ready: prod is read",
		"the clock of the publisher differs from the one here by 90 s", "environment prod cannot be written: the log is gone")
	f(`{"publisher":{"address":"a","ready":true},"sidecar":{"address":"b","ready":true,"status":{"problemCount":2,"problems":[{"kind":"flag","key":"f"}],
		"conditions":[{"code":"log-unreachable","severity":"warning","since":"2030-01-01T00:00:00Z","sentence":"NATS cannot be reached.","detail":"refused"}]}}}`,
		"sidecar: log-unreachable, warning since 2030-01-01T00:00:00Z: NATS cannot be reached. (refused)",
		"the sidecar does not serve the newest version of some documents: 2 problems")
}
