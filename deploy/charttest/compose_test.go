package charttest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// programs builds the programs, once for all tests of a run.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", dir, "./cmd/...")
	build.Dir = "../.."
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	return dir
}

// The commands of the compose file are command lines that the programs take.
func TestComposeCommands(t *testing.T) {
	text, err := os.ReadFile("../compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]struct {
			Image    string   `json:"image"`
			Command  []string `json:"command"`
			ReadOnly bool     `json:"read_only"`
		} `json:"services"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	dir, ours := programs(t), 0
	for name, s := range file.Services {
		program, found := strings.CutPrefix(strings.SplitN(s.Image, ":", 2)[0], "flagside/")
		if !found {
			continue
		}
		ours++
		if !s.ReadOnly {
			t.Errorf("%s may write to its image", name)
		}
		command := exec.Command(filepath.Join(dir, program), append(s.Command, "--print-config")...)
		command.Env = []string{}
		if output, err := command.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, output)
		}
	}
	if ours < 3 {
		t.Errorf("%d services run our images", ours)
	}
}

// So are those of the chart, of whatever values.
func TestChartCommands(t *testing.T) {
	dir := programs(t)
	files, err := Examples()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			values, err := Values(file)
			if err != nil {
				t.Fatal(err)
			}
			r, err := Render(values)
			if err != nil {
				t.Fatal(err)
			}
			for name, pod := range r.Pods() {
				for _, c := range append(pod.Spec.InitContainers, pod.Spec.Containers...) {
					run(t, dir, name, c.Image, c.Args)
					for _, probe := range [][]string{probed(c.StartupProbe), probed(c.LivenessProbe), probed(c.ReadinessProbe)} {
						if len(probe) > 0 {
							run(t, dir, name, c.Image, probe[1:])
						}
					}
				}
			}
		})
	}
	t.Run("include", func(t *testing.T) {
		c := included(t).InitContainers[0]
		run(t, dir, "include", c.Image, append(c.Args, "--environment=prod"))
	})
}
