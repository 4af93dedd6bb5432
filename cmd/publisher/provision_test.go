package main

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/kubernetestest"
	"github.com/flagside/flagside/internal/logtest"
)

const smallPlan = `{
  "release": "flags", "namespace": "flagside",
  "authority": {"secret": "flags-ca"},
  "certificates": [{"secret": "flags-nats-tls", "hosts": ["flags-nats.flagside.svc"]}],
  "keys": {"secret": "flags-keys"}, "rootKey": {"secret": "flags-root-key"},
  "users": {"secret": "flags-nats-users"}, "natsAuthority": {"secret": "flags-nats-tls"},
  "sidecars": [{"name": "prod", "environment": "prod", "secret": "flags-sidecar-prod", "namespaces": ["flagside", "shop"]}]
}`

func planFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "provision.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// As the chart's Job runs it, the command prints a line for each Secret, and what is left for people to do.
func TestProvision(t *testing.T) {
	t.Parallel()
	s := kubernetestest.Start(t, "flagside")
	file := planFile(t, smallPlan)
	f := func(wantCode int, want string, more ...string) {
		t.Helper()
		args := append([]string{"provision", "--file", file, "--kubernetes-url", s.URL(), "--kubernetes-token-file", s.TokenFile, "--kubernetes-ca", s.CAFile}, more...)
		code, stdout, stderr := runCommand(t.Context(), args...)
		if code != wantCode || !strings.Contains(stdout+stderr, want) || (code == exitOK) != (stderr == "") {
			t.Errorf("publisher %v: exit code %d, %s%s; want %d, %s", more, code, stdout, stderr, wantCode, want)
		}
	}
	f(exitFailure, "flagside/flags-ca: would be made, CA until ", "--dry-run")
	if s.Writes() != 0 {
		t.Error("a dry run writes")
	}
	f(exitFailure, "publisher: namespace shop does not exist")
	s.AddNamespace("shop")
	f(exitOK, "shop/flags-sidecar-prod: made, credentials of sidecars of environment prod\n")
	f(exitOK, "flagside/flags-nats-users: kept, 1 NATS user\n")
	f(exitOK, "flagside/flags-root-key: kept, root key. Next: copy it to a safe place")
}

// In a pod, the environment names the API server.
func TestProvisionInAPod(t *testing.T) {
	t.Parallel()
	s := kubernetestest.Start(t, "flagside", "shop")
	at, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	var out logtest.Log
	code := run(t.Context(), []string{"provision", "--file", planFile(t, smallPlan), "--kubernetes-token-file", s.TokenFile, "--kubernetes-ca", s.CAFile},
		commandline.Terminal{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Environ: []string{
			"KUBERNETES_SERVICE_HOST=" + at.Hostname(), "KUBERNETES_SERVICE_PORT=" + at.Port(),
		}})
	if code != exitOK || !strings.Contains(out.String(), "flagside/flags-keys: made") {
		t.Errorf("exit code %d, %s", code, out.String())
	}
}

func TestProvisionRefuses(t *testing.T) {
	t.Parallel()
	file := planFile(t, smallPlan)
	f := func(wantCode int, want string, args ...string) {
		t.Helper()
		code, stdout, stderr := runCommand(t.Context(), append([]string{"provision"}, args...)...)
		if code != wantCode || !strings.Contains(stdout+stderr, want) {
			t.Errorf("publisher provision %v: exit code %d, %s%s; want %d, %s", args, code, stdout, stderr, wantCode, want)
		}
	}
	f(exitConfiguration, "--file")
	f(exitConfiguration, "no such file", "--file", file+"x")
	f(exitConfiguration, "/sidecars/0/nam: there is no member", "--file", planFile(t, `{"sidecars":[{"nam":1}]}`))
	f(exitConfiguration, "has more than", "--file", planFile(t, strings.Repeat(" ", maxPlan+1)))
	f(exitConfiguration, "must begin with https://", "--file", file, "--kubernetes-url", "http://10.96.0.1")
	f(exitFailure, "--kubernetes-url", "--file", file)
	f(exitOK, "the configuration is good", "--file", file, "--check")
}
