package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/internal/logtest"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/telemetry"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/writer"
)

// command runs the command with the arguments and an environment.
func command(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	var environ []string
	for name, value := range env {
		environ = append(environ, name+"="+value)
	}
	code = run(t.Context(), args, environ, &out, &err, nil)
	return code, out.String(), err.String()
}

// trustFile returns the path of a trust file.
func trustFile(t *testing.T) string {
	t.Helper()
	return filepath.Join(trusttest.Default().Directory(t), "trust")
}

func TestActions(t *testing.T) {
	t.Parallel()
	trust := trustFile(t)
	cases := []struct {
		name           string
		env            map[string]string
		args           []string
		code           int
		stdout, stderr string // parts
	}{
		{"version", nil, []string{"--version"}, 0, telemetry.Version(), ""},
		{"help", nil, []string{"--help"}, 0, "--environment", ""},
		{"no environment", nil, nil, 2, "", "--environment is required"},
		{"a slip in a variable", map[string]string{"FLAGSIDE_ENVIRONMNT": "prod"}, nil, 2, "", "did you mean FLAGSIDE_ENVIRONMENT?"},
		{"unknown option", nil, []string{"--environment", "prod", "--nonsense"}, 2, "", "nonsense"},
		{
			"check without a server",
			map[string]string{"FLAGSIDE_ENVIRONMENT": "prod"},
			[]string{"--trust-file", trust, "--nats", "nats://127.0.0.1:1", "--check"},
			1, "", "no connection to NATS",
		},
		{"check of a file that is not there", nil, []string{"--environment", "prod", "--nats-nkey", "/nonexistent", "--check"}, 2, "", "nonexistent"},
		{"check of a wrong name", nil, []string{"--environment", "No Label", "--check"}, 2, "", "No Label"},
		{"check of a wrong URL", nil, []string{"--environment", "prod", "--nats", "http://x", "--check"}, 2, "", "http://x"},
		{"wrong level", nil, []string{"--environment", "prod", "--log-level", "loud"}, 2, "", "loud"},
		{"print", nil, []string{"--environment", "prod", "--nats", "nats://u:hunter2@h:1", "--print-config"}, 0, `"environment": "prod"`, ""},
		{"context without a value", nil, []string{"--environment", "prod", "--context", "region"}, 2, "", "--context"},
		{"context named twice", nil, []string{"--environment", "prod", "--context", "a=1,a=2"}, 2, "", "given twice"},
		{"one attribute of two headers", nil, []string{"--environment", "prod", "--context-from-header", "X-A=a,X-B=a"}, 2, "", "two headers"},
		{"nothing to trust", nil, []string{"--environment", "prod"}, 2, "", "--trust-file"},
		{"nothing to trust", nil, []string{"--environment", "prod", "--check"}, 2, "", "--credentials"},
		{"a bootstrap file is not enough", nil, []string{"--environment", "prod", "--bootstrap-file", "f"}, 2, "", "--trust-file"},
		{"a trust file that is not there", nil, []string{"--environment", "prod", "--trust-file", "/nonexistent"}, 2, "", "trust file"},
		{"a trust file that is none", nil, []string{"--environment", "prod", "--trust-file", "run_test.go"}, 2, "", "run_test.go"},
		{"beyond loopback without TLS", nil, []string{"--environment", "prod", "--trust-file", trust, "--nats", "nats://192.0.2.1"}, 2, "", "--nats-insecure"},
		{
			"beyond loopback without TLS, as asked",
			nil,
			[]string{"--environment", "prod", "--trust-file", trust, "--nats", "nats://192.0.2.1", "--nats-insecure", "--print-config"},
			0, "192.0.2.1", "",
		},
		{"credentials that are not there", nil, []string{"--environment", "prod", "--credentials", "/nonexistent"}, 2, "", "/nonexistent/nats.nkey"},
		{"no share of subjects", nil, []string{"--environment", "prod", "--exposure-sample", "0"}, 2, "", "--exposure-sample"},
		{"no events", nil, []string{"--environment", "prod", "--event-rate", "0"}, 2, "", "--event-rate: 0"},
		{"a share of subjects that is none", nil, []string{"--environment", "prod", "--exposure-sample", "10%"}, 2, "", "such as 0.1"},
		{"wrong address", nil, []string{"--environment", "prod", "--ofrep-addr", "nowhere"}, 2, "", "--ofrep-addr"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := command(t, c.env, c.args...)
			if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
				t.Errorf("exit %d\nstdout: %s\nstderr: %s", code, stdout, stderr)
			}
			if strings.Contains(stdout, "hunter2") {
				t.Error("a password is printed")
			}
		})
	}
}

// The check does what following takes, and says what is wrong.
func TestCheckAsksTheServer(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	conn, err := flagsync.Connect(t.Context(), flagsync.ConnectOptions{
		URL: server.URL(), Keyring: trusttest.Default().PublisherKeyring(), Signer: trusttest.Default().Signer(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	environments, err := writer.OpenEnvironments(t.Context(), conn, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := environments.Create(t.Context(), "prod", writer.Order{Actor: "tester"}); err != nil {
		t.Fatal(err)
	}
	taken, data := takenAddress(t), t.TempDir()
	used, err := cache.New(cache.Options{Environment: "prod", Dir: data, Keyring: trusttest.Default().PublisherKeyring(), Logger: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { used.Close() })
	known := []string{"--nats", server.URL(), "--nats-nkey", natstest.SidecarKey(t), "--environment"}
	unknown := []string{"--nats", server.URL(), "--environment", "prod"}
	nowhere := []string{"--nats", "nats://127.0.0.1:1", "--environment", "prod"}
	f := func(code int, says []string, server []string, args ...string) {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			checkServer(t, code, says, slices.Concat(server, args))
		})
	}
	f(exitOK, []string{"prod"}, known, "prod")
	f(exitFailure, []string{"staging"}, known, "staging")
	f(exitFailure, []string{"none.json"}, unknown, "--bootstrap-file", "none.json")
	f(exitFailure, []string{"run_test.go"}, unknown, "--data-dir", "run_test.go")
	// What another process has is told, and that all of it.
	f(exitFailure, []string{"another address with --flagd-addr"}, known, "prod", "--flagd-addr", taken)
	f(exitFailure, []string{data}, known, "prod", "--data-dir", data)
	f(exitFailure, []string{"none"}, known, "prod", "--ofrep-auth-file", "none")
	f(exitFailure, []string{"--flagd-addr", "no connection to NATS"}, nowhere, "--flagd-addr", taken)
}

// checkServer runs the check on ports that are free, and compares its exit code and what it says.
func checkServer(t *testing.T, want int, says, args []string) {
	t.Helper()
	free := []string{"--ofrep-addr", "127.0.0.1:0", "--management-addr", "127.0.0.1:0", "--flagd-addr", "off", "--flagd-sync-addr", "off"}
	code, stdout, stderr := command(t, nil, slices.Concat(free, []string{"--trust-file", trustFile(t), "--check"}, args)...)
	said := stderr
	if want == exitOK {
		said = stdout + stderr
	}
	silent := func(part string) bool { return !strings.Contains(said, part) }
	if code != want || slices.ContainsFunc(says, silent) {
		t.Errorf("exit %d, want %d and %q\nstdout: %s\nstderr: %s", code, want, says, stdout, stderr)
	}
}

// takenAddress returns an address that is taken until the test ends.
func takenAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func TestAnAddressThatIsTaken(t *testing.T) {
	code, _, stderr := command(t, nil, "--trust-file", trustFile(t), "--environment", "prod", "--ofrep-addr", "192.0.2.1:1", "--management-addr", "127.0.0.1:0",
		"--flagd-addr", "off", "--flagd-sync-addr", "off")
	if code != exitFailure || !strings.Contains(stderr, "OFREP") {
		t.Errorf("exit %d, stderr %s", code, stderr)
	}
}

// The command answers until it is told to stop, although no server can be reached.
func TestServes(t *testing.T) {
	flags := filepath.Join(t.TempDir(), "flags.json")
	content := `{"flags":{"greeting":{"state":"ENABLED","variants":{"a":1},"defaultVariant":"a"}}}`
	if err := os.WriteFile(flags, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var stdout, stderr logtest.Log
	trust, ended := trustFile(t), make(chan int, 1)
	settled := make(chan struct{}, 2)
	go func() {
		ended <- run(ctx, []string{
			"--environment", "prod", "--trust-file", trust, "--nats", "nats://127.0.0.1:1", "--bootstrap-file", flags,
			"--ofrep-addr", "127.0.0.1:0", "--management-addr", "127.0.0.1:0",
			"--flagd-addr", "127.0.0.1:0", "--flagd-sync-addr", "off",
		}, nil, &stdout, &stderr, func() { settled <- struct{}{} })
	}()
	waiting.Until(t, "what the command listens on", func() bool { return len(stderr.Lines("sidecar started")) > 0 })
	var line map[string]any
	if err := json.Unmarshal([]byte(stderr.Lines("sidecar started")[0]), &line); err != nil {
		t.Fatal(err)
	}
	<-settled // the start is over once the flags are compiled
	target := "http://" + line["ofrep"].(string) + "/ofrep/v1/evaluate/flags/greeting"
	response, err := http.Post(target, "application/json", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("status %d", response.StatusCode)
	}
	cancel()
	select {
	case code := <-ended:
		if code != exitOK {
			t.Errorf("exit %d", code)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the command does not end")
	}
}
