package clustertest

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What the chart becomes with each of its example values is accepted, and changes nothing when it is applied again. The pods that controllers would
// make of it are accepted where pods must be restricted, but for the one of the DaemonSet, which says that it needs more.
func verifyChart(t *testing.T, s *server) string {
	t.Helper()
	files, err := filepath.Glob("../helm/flagside/examples/*.yaml")
	if err != nil || len(files) < 8 {
		t.Fatal(files, err)
	}
	var out strings.Builder
	out.WriteString("| Example | Objects accepted | Pods accepted | Not tried: kinds of the Prometheus operator |\n|---|---|---|---|\n")
	for _, file := range files {
		name := filepath.Base(file)
		objects := rendered(t, name)
		accepted, pods, unknown := 0, 0, 0
		for _, o := range objects {
			if strings.HasPrefix(in[string](o, "apiVersion"), "monitoring.coreos.com/") {
				unknown++
				continue
			}
			first := s.apply(t, o)
			again := s.apply(t, o)
			if in[string](first, "metadata", "resourceVersion") != in[string](again, "metadata", "resourceVersion") {
				t.Errorf("%s: %s changes when it is applied again", name, o)
			}
			accepted++
		}
		for _, o := range objects {
			if in[map[string]any](o, "spec", "template") == nil {
				continue
			}
			pods++
			s.verifyPod(t, name, o)
		}
		for _, o := range objects {
			s.do(t, http.MethodDelete, o.path(), object{"propagationPolicy": "Background"})
		}
		fmt.Fprintf(&out, "| %s | %d | %d | %d |\n", strings.TrimSuffix(name, ".yaml"), accepted, pods, unknown)
		if accepted < 4 {
			t.Errorf("%s: %d objects", name, accepted)
		}
	}
	return out.String()
}

// verifyPod tries the pod of a controller, without making it.
func (s *server) verifyPod(t *testing.T, name string, o object) {
	t.Helper()
	pod := object{"apiVersion": "v1", "kind": "Pod"}
	maps.Copy(pod, in[map[string]any](o, "spec", "template"))
	metadata, spec := in[map[string]any](pod, "metadata"), in[map[string]any](pod, "spec")
	metadata["name"], metadata["namespace"] = "tried", o.namespace()
	if in[[]any](o, "spec", "volumeClaimTemplates") != nil {
		volumes, _ := spec["volumes"].([]any)
		spec["volumes"] = append(volumes, map[string]any{"name": "data", "persistentVolumeClaim": map[string]any{"claimName": "data"}})
	}
	code, answer := s.do(t, http.MethodPost, pod.collection()+"?dryRun=All&fieldValidation=Strict", pod)
	message := in[string](answer, "message")
	if o.kind() != "DaemonSet" {
		if code != http.StatusCreated {
			t.Errorf("%s: the pod of %s: %d %s", name, o, code, message)
		}
		return
	}
	if code != http.StatusForbidden || !strings.Contains(message, "hostPath") {
		t.Errorf("%s: the pod of %s in a restricted namespace: %d %s", name, o, code, message)
	}
	metadata["namespace"] = "nodes"
	if code, answer := s.do(t, http.MethodPost, pod.collection()+"?dryRun=All&fieldValidation=Strict", pod); code != http.StatusCreated {
		t.Errorf("%s: the pod of %s in a privileged namespace: %d %s", name, o, code, in[string](answer, "message"))
	}
}

const page = "../../docs/kubernetes-apiserver.md"

// TestCluster plays everything with one server, because that takes a while to start, and holds the page about it to what happened.
func TestCluster(t *testing.T) {
	s := start(t)
	s.namespaces(t)
	parts := map[string]string{}
	t.Run("chart", func(t *testing.T) { parts["CHART"] = verifyChart(t, s) })
	t.Run("policy", func(t *testing.T) { parts["POD"] = verifyPolicy(t, s) })
	t.Run("source", func(t *testing.T) { verifySource(t, s) })
	t.Run("provision", func(t *testing.T) { parts["PROVISION"] = verifyProvision(t, s) })
	if t.Failed() {
		return
	}
	text, err := os.ReadFile("testdata/page.md")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(string(text), "{{VERSION}}", version(t))
	for name, part := range parts {
		want = strings.ReplaceAll(want, "{{"+name+"}}\n", part)
	}
	if os.Getenv("FLAGSIDE_UPDATE") != "" {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(page); err != nil || string(got) != want {
		t.Errorf("%s differs; FLAGSIDE_SOAK=1 FLAGSIDE_UPDATE=1 go test ./... in deploy/clustertest writes it: %v\n%s", page, err, want)
	}
}

// version returns the release of Kubernetes that the server is compiled from. It does not know it itself.
func version(t *testing.T) string {
	t.Helper()
	output, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(strings.TrimSpace(string(output)), "v")
}
