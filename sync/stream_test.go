package flagsync_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/internal/natstest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/writer"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// api asks JetStream over a plain connection.
func api(tb testing.TB, c *nats.Conn, call string, body any) map[string]any {
	tb.Helper()
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			tb.Fatal(err)
		}
	}
	reply, err := c.Request("$JS.API."+call, data, patience)
	if err != nil {
		tb.Fatalf("%s: %v", call, err)
	}
	var answer map[string]any
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		tb.Fatal(err)
	}
	return answer
}

func config(tb testing.TB, c *nats.Conn, stream string) map[string]any {
	tb.Helper()
	found, ok := api(tb, c, "STREAM.INFO."+stream, nil)["config"].(map[string]any)
	if !ok {
		tb.Fatalf("stream %s is not there", stream)
	}
	return found
}

// TestStreamSettings compares the settings of all streams, as the server has
// them, with golden files.
func TestStreamSettings(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	c := l.server.Client(t)
	if _, err := writer.OpenPeople(t.Context(), l.conn, 1); err != nil {
		t.Fatal(err)
	}
	for _, stream := range []string{"FLAGS_prod", "LEDGER_prod", "SNAP_prod", "CONTROL", "PEOPLE"} {
		found := config(t, c, stream)
		delete(found, "metadata")
		got, err := json.Marshal(found, jsontext.WithIndent("  "), json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", "stream", stream+".json")
		if *update {
			if err := os.WriteFile(golden, append(got, '\n'), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.TrimSpace(string(want)), string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", stream, diff)
		}
	}
}

// TestNothingCanBeTakenOut tries to purge the log and to delete an entry.
func TestNothingCanBeTakenOut(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	c := l.server.Client(t)
	for _, stream := range []string{"FLAGS_prod", "LEDGER_prod", "CONTROL"} {
		if answer := api(t, c, "STREAM.PURGE."+stream, nil); answer["error"] == nil {
			t.Errorf("purge of %s: %v, want an error", stream, answer)
		}
		if answer := api(t, c, "STREAM.MSG.DELETE."+stream, map[string]any{"seq": 1}); answer["error"] == nil {
			t.Errorf("deletion in %s: %v, want an error", stream, answer)
		}
	}
}

func TestOpenLogRefusesDifferingSettings(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	c := l.server.Client(t)
	changed := config(t, c, "FLAGS_prod")
	changed["max_msgs_per_subject"] = 5
	delete(changed, "republish")
	changed["description"] = "edited"
	if answer := api(t, c, "STREAM.UPDATE.FLAGS_prod", changed); answer["error"] != nil {
		t.Fatal(answer["error"])
	}

	_, err := writer.OpenLog(t.Context(), l.conn, writer.LogOptions{Environment: environment, Replicas: 1})
	if !errors.Is(err, flagsync.ErrStreamMismatch) {
		t.Fatalf("error %v, want ErrStreamMismatch", err)
	}
	for _, want := range []string{
		"FLAGS_prod", "max_msgs_per_subject is 5 and must be -1", `republish is not set and must be {"src":"flags.prod.>"`,
		`description is "edited" and must be not set`, "nats stream edit FLAGS_prod",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not mention %q", err, want)
		}
	}
}

func TestOpenLogRefusesOtherReplicas(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	_, err := writer.OpenLog(t.Context(), l.conn, writer.LogOptions{Environment: environment, Replicas: 3})
	if !errors.Is(err, flagsync.ErrStreamMismatch) || !strings.Contains(err.Error(), "num_replicas is 1 and must be 3") {
		t.Errorf("error %v, want ErrStreamMismatch for num_replicas", err)
	}
	if _, err := writer.OpenLog(t.Context(), l.conn, writer.LogOptions{Environment: environment, Replicas: 2}); err == nil {
		t.Error("two replicas were accepted")
	}
}

// TestOpenLogNeverMakesALostStream deletes each stream of a known environment.
func TestOpenLogNeverMakesALostStream(t *testing.T) {
	t.Parallel()
	for stream, remedy := range map[string]string{
		"FLAGS_prod": "recreate the environment", "LEDGER_prod": "flagside ledger repair --environment prod",
	} {
		t.Run(stream, func(t *testing.T) {
			t.Parallel()
			l := newLog(t)
			c := l.server.Client(t)
			if answer := api(t, c, "STREAM.DELETE."+stream, nil); answer["error"] != nil {
				t.Fatal(answer["error"])
			}
			_, err := writer.OpenLog(t.Context(), l.conn, writer.LogOptions{Environment: environment, Replicas: 1})
			if !errors.Is(err, flagsync.ErrStreamLost) || !strings.Contains(err.Error(), "backup") || !strings.Contains(err.Error(), remedy) {
				t.Errorf("error %v, want ErrStreamLost with its remedies", err)
			}
			environments, err := writer.OpenEnvironments(t.Context(), l.conn, 1)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := environments.Create(t.Context(), environment, writer.Order{Actor: "tester"}); !errors.Is(err, writer.ErrEnvironmentExists) {
				t.Errorf("create: %v, want ErrEnvironmentExists", err)
			}
			if answer := api(t, c, "STREAM.INFO."+stream, nil); answer["error"] == nil {
				t.Errorf("%s was made again", stream)
			}
		})
	}
}

func TestOpenLogWithoutAServer(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	server.Stop(t)
	c := connect(t, server.URL())
	begin := time.Now()
	if _, err := writer.OpenLog(t.Context(), c, writer.LogOptions{Environment: environment, Replicas: 1}); !errors.Is(err, flagsync.ErrUnreachable) {
		t.Errorf("error %v, want ErrUnreachable", err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %s to say so", took)
	}
	if c.Connected() {
		t.Error("connected to a server that does not run")
	}
	eventually(t, func() (bool, string) { return c.LastError() != nil, "an error of the connection" })
}

// TestPeopleCanBeErased deletes the messages of a person, as a publisher may: one
// at a time, and all of a subject. They are not repeated anywhere.
func TestPeopleCanBeErased(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	if _, err := writer.OpenPeople(t.Context(), l.conn, 1); err != nil {
		t.Fatal(err)
	}
	c, publisher := l.server.Client(t), natstest.ConnectPublishers(t, l.server.URL())
	repeated, err := c.SubscribeSync("journal.>")
	if err != nil {
		t.Fatal(err)
	}
	messages := func() any {
		state, _ := api(t, c, "STREAM.INFO.PEOPLE", nil)["state"].(map[string]any)
		return state["messages"]
	}
	for _, subject := range []string{"people.ada", "people.ada", "people.bob"} {
		if _, err := publisher.Request(subject, []byte("who it is"), patience); err != nil {
			t.Fatal(err)
		}
	}
	if got := messages(); got != 2.0 {
		t.Errorf("%v messages about two persons", got)
	}
	for call, body := range map[string]string{"STREAM.MSG.DELETE.PEOPLE": `{"seq":2}`, "STREAM.PURGE.PEOPLE": `{"filter":"people.bob"}`} {
		if answer, err := publisher.Request("flagside.api."+call, []byte(body), patience); err != nil || !strings.Contains(string(answer.Data), `"success":true`) {
			t.Errorf("%s: %v", call, err)
		}
	}
	if got := messages(); got != 0.0 {
		t.Errorf("%v messages after the erasure", got)
	}
	if msg, err := repeated.NextMsg(50 * time.Millisecond); err == nil {
		t.Errorf("%s was repeated", msg.Subject)
	}
}
