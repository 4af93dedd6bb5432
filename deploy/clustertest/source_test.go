package clustertest

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// definition is that of FeatureFlag objects, with what the publisher reads of them: like the operator's it drops what it does not know.
const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: featureflags.core.openfeature.dev}
spec:
  group: core.openfeature.dev
  scope: Namespaced
  names: {kind: FeatureFlag, listKind: FeatureFlagList, plural: featureflags, singular: featureflag}
  versions:
    - name: v1beta1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties:
                flagSpec:
                  type: object
                  required: [flags]
                  properties:
                    $evaluators: {type: object, x-kubernetes-preserve-unknown-fields: true}
                    flags:
                      type: object
                      additionalProperties:
                        type: object
                        required: [state, variants, defaultVariant]
                        properties:
                          state: {type: string, enum: [ENABLED, DISABLED]}
                          defaultVariant: {type: string}
                          variants: {type: object, x-kubernetes-preserve-unknown-fields: true}
                          targeting: {type: object, x-kubernetes-preserve-unknown-fields: true}
                          metadata: {type: object, x-kubernetes-preserve-unknown-fields: true}
`

// featureFlag is an object with a flag.
func featureFlag(variant, tags string) object {
	return object{
		"apiVersion": "core.openfeature.dev/v1beta1", "kind": "FeatureFlag", "metadata": map[string]any{"name": "search", "namespace": "shop"},
		"spec": map[string]any{"flagSpec": map[string]any{"flags": map[string]any{"ranking": map[string]any{
			"state": "ENABLED", "variants": map[string]any{"on": true, "off": false}, "defaultVariant": variant,
			"metadata": map[string]any{"flagside.owner": "search", "flagside.tags": tags},
		}}}},
	}
}

// A publisher with the rights that the chart gives it follows objects of a real API server: their changes, their deletion, and after the history was
// compacted. What became of them is told by Events.
func verifySource(t *testing.T, s *server) {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", dir, "./cmd/publisher", "./cmd/flagside")
	build.Dir = "../.."
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	s.apply(t, parse(t, definition)[0])
	account := object{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": map[string]any{"name": "flags-flagside", "namespace": "flagside"}}
	s.apply(t, account)
	for _, o := range rendered(t, "sources.yaml") {
		if strings.HasSuffix(o.name(), "-sources") {
			s.apply(t, o)
		}
	}
	write(t, dir+"/token", s.tokenOf(t, account))
	admin := freeAddress(t)
	p := exec.Command(filepath.Join(dir, "publisher"), "serve", "--data-dir="+dir+"/data", "--nats-addr=127.0.0.1:0", "--admin-addr="+admin,
		"--source=prod=kubernetes:shop", "--kubernetes-url="+s.base, "--kubernetes-token-file="+dir+"/token", "--kubernetes-ca="+s.caFile)
	stderr, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill(); _ = p.Wait() })
	go func() {
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			if strings.Contains(lines.Text(), "source followed") {
				fmt.Fprintln(os.Stderr, lines.Text())
			}
		}
	}()
	flagside := func(args ...string) string {
		command := exec.Command(filepath.Join(dir, "flagside"), args...)
		command.Env = []string{"FLAGSIDE_ADMIN=http://" + admin, "FLAGSIDE_TOKEN_FILE=" + dir + "/data/admin-token", "HOME=" + dir}
		output, _ := command.CombinedOutput()
		return string(output)
	}
	await := func(what string, holds func() bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(100 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("waited in vain for %s: %s", what, flagside("source", "list", "-e", "prod"))
			}
		}
	}
	await("the environment", func() bool { return strings.Contains(flagside("environment", "create", "prod"), "prod") })
	is := func(text string) func() bool {
		return func() bool {
			return strings.Contains(strings.ReplaceAll(flagside("flag", "get", "ranking", "-e", "prod", "-o", "json"), ": ", ":"), text)
		}
	}
	s.apply(t, featureFlag("on", `["web"]`))
	await("the flag", is(`"owner":"search"`))
	s.apply(t, featureFlag("off", `["web"]`))
	await("the change", is(`"defaultVariant":"off"`))
	s.apply(t, featureFlag("of", `["web"]`))
	told := func(reason string) func() bool {
		return func() bool {
			_, list := s.do(t, http.MethodGet, "/api/v1/namespaces/shop/events", nil)
			return strings.Contains(fmt.Sprint(in[[]any](list, "items")), "reason:"+reason)
		}
	}
	await("the mistake", told("Invalid"))
	if !told("Applied")() {
		t.Error("no Event tells what was applied")
	}
	s.apply(t, featureFlag("on", `["web"]`))
	await("the correction", is(`"defaultVariant":"on"`))
	other := featureFlag("on", `[]`)
	in[map[string]any](other, "metadata")["name"] = "empty"
	in[map[string]any](other, "spec", "flagSpec")["flags"] = map[string]any{}
	s.apply(t, other)
	s.do(t, http.MethodDelete, featureFlag("", "").path(), nil)
	await("the request", func() bool { return strings.Contains(flagside("source", "list", "-e", "prod"), "waiting-for-approval") })
	publisher := client{base: s.base, http: http.Client{Transport: s.http.Transport}}
	token, err := os.ReadFile(dir + "/token")
	if err != nil {
		t.Fatal(err)
	}
	publisher.token = string(token)
	for _, path := range []string{"/api/v1/namespaces/shop/secrets", "/api/v1/namespaces/shop/events", "/apis/core.openfeature.dev/v1beta1/namespaces/flagside/featureflags"} {
		if code, _ := publisher.do(t, http.MethodGet, path, nil); code != http.StatusForbidden {
			t.Errorf("the publisher may list %s: %d", path, code)
		}
	}
	if code, _ := publisher.do(t, http.MethodDelete, other.path(), nil); code != http.StatusForbidden {
		t.Errorf("the publisher may delete an object: %d", code)
	}
}
