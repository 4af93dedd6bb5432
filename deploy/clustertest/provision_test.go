package clustertest

import (
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The Job's program makes the Secrets with a token of the Job's service account and the rights of its Roles, keeps them when it runs again, and may
// do nothing else.
func verifyProvision(t *testing.T, s *server) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", dir, "./cmd/publisher")
	build.Dir = "../.."
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	objects := slices.DeleteFunc(rendered(t, "minimal.yaml"), func(o object) bool { return !strings.HasSuffix(o.name(), "-provision") || o.kind() == "Job" })
	run := func(want int) string { return s.provision(t, dir, want) }
	var roles []object
	for _, o := range objects {
		switch o.kind() {
		case "ConfigMap":
			write(t, dir+"/provision.json", in[string](o, "data", "provision.json"))
			s.apply(t, o)
		case "ServiceAccount":
			s.apply(t, o)
			write(t, dir+"/token", s.tokenOf(t, o))
		default:
			roles = append(roles, o)
		}
	}
	if len(roles) != 4 {
		t.Fatalf("%v", roles)
	}
	refused := run(1)
	if !strings.Contains(refused, "forbidden") {
		t.Errorf("without a role: %s", refused)
	}
	for _, role := range roles {
		s.apply(t, role)
	}
	made, kept := run(0), run(0)
	if strings.Count(made, ": made") != 9 || strings.Count(kept, ": kept") != 9 || strings.Contains(kept, ": made") {
		t.Errorf("first:\n%s\nagain:\n%s", made, kept)
	}
	verifyRights(t, s, dir)
	return "Before its Roles are there:\n\n" + shown(refused) + "\nWith them:\n\n" + shown(made) + "\nAgain:\n\n" + shown(kept)
}

// tokenOf asks for a token, as a kubelet does for a pod.
func (s *server) tokenOf(t *testing.T, account object) string {
	t.Helper()
	code, answer := s.do(t, http.MethodPost, account.path()+"/token", object{
		"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": map[string]any{"expirationSeconds": 600},
	})
	if code != http.StatusCreated {
		t.Fatalf("%d %s", code, in[string](answer, "message"))
	}
	return in[string](answer, "status", "token")
}

// provision runs the program as in a pod.
func (s *server) provision(t *testing.T, dir string, want int) string {
	t.Helper()
	command := exec.Command(filepath.Join(dir, "publisher"), "provision", "--file="+dir+"/provision.json", "--kubernetes-token-file="+dir+"/token", "--kubernetes-ca="+s.caFile)
	command.Env = []string{"KUBERNETES_SERVICE_HOST=127.0.0.1", "KUBERNETES_SERVICE_PORT=" + s.port}
	output, err := command.CombinedOutput()
	if code := command.ProcessState.ExitCode(); (code == 0) != (want == 0) {
		t.Fatalf("publisher provision: %v: %s", err, output)
	}
	return string(output)
}

// verifyRights tries what the Job may not do.
func verifyRights(t *testing.T, s *server, dir string) {
	t.Helper()
	token, err := os.ReadFile(dir + "/token")
	if err != nil {
		t.Fatal(err)
	}
	job := client{base: s.base, token: string(token), http: http.Client{Transport: s.http.Transport}}
	other := object{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "other", "namespace": "flagside"}}
	s.create(t, other)
	const secrets = "/api/v1/namespaces/flagside/secrets"
	forbidden := map[string]func() (int, object){
		"list":              func() (int, object) { return job.do(t, http.MethodGet, secrets, nil) },
		"read another":      func() (int, object) { return job.do(t, http.MethodGet, other.path(), nil) },
		"replace another":   func() (int, object) { return job.do(t, http.MethodPut, other.path(), other) },
		"delete":            func() (int, object) { return job.do(t, http.MethodDelete, secrets+"/flags-flagside-ca", nil) },
		"another namespace": func() (int, object) { return job.do(t, http.MethodPost, "/api/v1/namespaces/elsewhere/secrets", other) },
		"pods":              func() (int, object) { return job.do(t, http.MethodGet, "/api/v1/namespaces/flagside/pods", nil) },
	}
	for _, what := range slices.Sorted(maps.Keys(forbidden)) {
		if code, answer := forbidden[what](); code != http.StatusForbidden {
			t.Errorf("the Job may %s: %d %s", what, code, in[string](answer, "message"))
		}
	}
	if code, _ := job.do(t, http.MethodGet, secrets+"/flags-flagside-ca", nil); code != http.StatusOK {
		t.Errorf("the Job may not read what it made: %d", code)
	}
}

var (
	days = regexp.MustCompile(`20\d\d-\d\d-\d\d`)
	ids  = regexp.MustCompile(`[0-9a-f]{32}`)
)

// shown returns an output with the same times and ids each time.
func shown(output string) string {
	output = ids.ReplaceAllString(days.ReplaceAllString(output, "2030-01-01"), "0123456789abcdef0123456789abcdef")
	return "```\n" + strings.TrimRight(output, "\n") + "\n```\n"
}
