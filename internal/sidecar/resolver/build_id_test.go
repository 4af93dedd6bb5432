package resolver

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// Programs without a version, of which one was built of other sources than the other, are told apart.
func TestProgramsOfOtherSourcesDiffer(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds programs")
	}
	dir := t.TempDir()
	build := func(name, text string) digest {
		source := filepath.Join(dir, name+".go")
		if err := os.WriteFile(source, []byte("package main\n\nfunc main() { println(\""+text+"\") }\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, name)
		command := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", file, source)
		command.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		head, err := digestOfHead(file)
		if err != nil {
			t.Fatal(err)
		}
		return head
	}
	if build("one", "a") == build("other", "b") {
		t.Error("two programs have the same identity")
	}
}

func TestBuildIDIsPartOfTheKey(t *testing.T) {
	t.Parallel()
	r, err := New(Options{Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	head, err := digestOfHead(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(r.buildID, string(head[:])) {
		t.Errorf("the program is %q, want the digest %s in it", r.buildID, head)
	}
}

func TestProgramWithoutFile(t *testing.T) {
	t.Parallel()
	if _, err := digestOfHead(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that does not exist has a digest")
	}
}
